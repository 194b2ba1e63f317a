"""Who may do what in Superset: the administrator, and leadership, who read the published dashboards and nothing else.

Belongs here: roles, users, who sees which dashboard. Not here: passwords (they come from the environment), row rules of agencies.
"""

from collections.abc import Mapping

from lake_config.errors import ServiceError

ADMIN_USER, ADMIN_ROLE = "admin", "Admin"
VIEWER_USER, VIEWER_ROLE = "lanh_dao", "Lãnh đạo"

# No SQL Lab, no Explore, no download, no writing; data only through dashboards that name the role (DASHBOARD_RBAC).
_VIEWER_PERMISSIONS: Mapping[str, tuple[str, ...]] = {
    "Dashboard": ("can_read", "can_view_chart_as_table"),
    "Chart": ("can_read",),
    "DashboardFilterStateRestApi": ("can_read", "can_write"),
    "DashboardPermalinkRestApi": ("can_read", "can_write"),
    "CurrentUserRestApi": ("can_read",),
    "Theme": ("can_read",),
    "Superset": ("can_dashboard", "can_dashboard_permalink", "can_language_pack", "can_log"),
    "Log": ("can_recent_activity",),
    "Api": ("can_time_range",),
    "Dashboards": ("menu_access",),
}


def sync_viewer_role(dashboard_slugs: tuple[str, ...]) -> None:
    """Make the viewers' role hold exactly its permissions, and let it see these dashboards. Needs an application context.

    Raises ServiceError when Superset no longer knows one of the permissions or dashboards.
    """
    from superset import db, security_manager
    from superset.models.dashboard import Dashboard

    role = security_manager.find_role(VIEWER_ROLE) or security_manager.add_role(VIEWER_ROLE)
    permissions = []
    for view, names in _VIEWER_PERMISSIONS.items():
        for name in names:
            permission = security_manager.find_permission_view_menu(name, view)
            if permission is None:
                raise ServiceError(
                    f"This Superset has no permission {name!r} on {view!r}: mend superset_dashboards/roles.py for its version."
                )
            permissions.append(permission)
    role.permissions = permissions
    for slug in dashboard_slugs:
        dashboard = db.session.query(Dashboard).filter_by(slug=slug).one_or_none()
        if dashboard is None:
            raise ServiceError(f"Superset has no dashboard {slug!r}: load the bundle first.")
        if role not in dashboard.roles:
            dashboard.roles.append(role)
    db.session.commit()


def sync_user(username: str, role_name: str, last_name: str, password: str) -> None:
    """Make the user with that one role and password, or put them right. Needs an application context. Raises ServiceError."""
    from superset import db, security_manager
    from werkzeug.security import check_password_hash

    role = security_manager.find_role(role_name)
    user = security_manager.find_user(username=username)
    if user is None:
        if not security_manager.add_user(username, "Lắng Nghe", last_name, f"{username}@localhost.localdomain", role, password=password):
            raise ServiceError(f"Superset could not make the user {username!r}: see its log.")
        return
    user.roles = [role]
    if not check_password_hash(user.password, password):
        security_manager.reset_password(user.id, password)
    db.session.commit()
