"""The network in torch: a pretrained encoder with linear heads at its exits. Belongs here: shapes and weights. Not here: losses, data."""

from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import load_file, save_file

from lake_config.errors import BadInputError

_POOLED_DROPOUT = 0.1
_SENTIMENTS = 3


class Network:
    """`modules` holds `bert` and `heads` by exit: the names of the weights in a saved file are bert.* and heads.EXIT.weight, .bias.

    Attention without dropout in plain matrix products ("eager"): on two cores 1.5 times as fast in training as torch's fused attention.
    """

    def __init__(self, bert: Any, exits: tuple[int, ...], outputs: int) -> None:
        self.exits = exits
        heads = torch.nn.ModuleDict({str(one): torch.nn.Linear(bert.config.hidden_size, outputs) for one in exits})
        for head in heads.values():
            torch.nn.init.normal_(head.weight, std=0.02)
            torch.nn.init.zeros_(head.bias)
        self.modules = torch.nn.ModuleDict({"bert": bert, "heads": heads})
        self._dropout = torch.nn.Dropout(_POOLED_DROPOUT)

    def logits(self, ids: Any, mask: Any, own: Any) -> dict[int, Any]:
        """Logits (texts, outputs) by exit: one linear layer on the mean of the hidden states of the text's own tokens."""
        bert, heads = self.modules["bert"], self.modules["heads"]
        states = bert(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states
        weights = own / own.sum(dim=1, keepdim=True)
        found = {}
        for one in self.exits:
            pooled = (states[one].float() * weights.unsqueeze(-1)).sum(dim=1)
            head = heads[str(one)]
            found[one] = torch.nn.functional.linear(self._dropout(pooled), head.weight, head.bias)
        return found

    def train(self, mode: bool) -> None:
        """Switch between training and reading."""
        self.modules.train(mode)
        self._dropout.train(mode)

    def save(self, path: Path) -> None:
        """Write the weights in float32."""
        save_file({name: value.contiguous() for name, value in self.modules.state_dict().items()}, str(path))


def pretrained(folder: Path, layers: int, exits: tuple[int, ...], outputs: int) -> Network:
    """The first `layers` of the encoder in `folder`, with new heads; a sentiment head stored with it starts the last exit.

    Raises BadInputError when the folder has no encoder or fewer layers.
    """
    weights = folder / "model.safetensors"
    if not weights.is_file():
        raise BadInputError(f"There is no encoder at {folder}: name the folder that holds it (--shared).")
    library: Any = transformers
    library.logging.set_verbosity_error()  # else every head that is left behind is reported
    library.logging.disable_progress_bar()
    bert = library.BertModel.from_pretrained(
        str(folder), add_pooling_layer=False, attn_implementation="eager", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0
    ).float()
    if len(bert.encoder.layer) < layers:
        raise BadInputError(f"The encoder at {folder} has {len(bert.encoder.layer)} layers, the recipe asks for {layers}.")
    whole = len(bert.encoder.layer) == layers
    bert.encoder.layer = bert.encoder.layer[:layers]
    bert.config.num_hidden_layers = layers
    made = Network(bert, exits, outputs)
    stored = load_file(str(weights))
    if whole and "classifier.weight" in stored:
        head = made.modules["heads"][str(exits[-1])]
        with torch.no_grad():
            head.weight[:_SENTIMENTS] = stored["classifier.weight"].float()
            head.bias[:_SENTIMENTS] = stored["classifier.bias"].float()
    return made
