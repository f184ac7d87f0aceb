"""Passwords, and a provider of OpenID Connect."""

from config import environment, openid

environment.section("Signing in")

PASSWORDS = environment.flag(
    "PASSWORDS",
    True,
    about="whether people sign up and in by passwords; 0 where all come from the provider of"
    " `OIDC_ISSUER` ([signing in](signing-in.md))",
)
OIDC_ISSUER = environment.text(
    "OIDC_ISSUER",
    about="address of a provider of OpenID Connect, as its discovery document writes it:"
    " `https://id.example.org/realms/lab`",
)
OIDC_CLIENT_ID = environment.text("OIDC_CLIENT_ID", about="by which the provider knows this site")
OIDC_CLIENT_SECRET = environment.text(
    "OIDC_CLIENT_SECRET", secret=True, about="and the secret that belongs to it"
)
OIDC_NAME = environment.text(
    "OIDC_NAME", "OpenID Connect", about="what the button calls the provider: *Sign in with …*"
)
OIDC_SCOPES = environment.items(
    "OIDC_SCOPES", "openid,profile,email", about="what the provider is asked for, a list"
)
OIDC_DOMAINS = environment.items(
    "OIDC_DOMAINS",
    about="domains of mail addresses, a list: nobody else may sign in by the provider",
)
OIDC_ADMIN_GROUP = environment.text(
    "OIDC_ADMIN_GROUP",
    about="a group of the provider's, whose members are administrators while they are in it",
)
OIDC_GROUPS_CLAIM = environment.text(
    "OIDC_GROUPS_CLAIM", "groups", about="the claim of the ID token that lists somebody's groups"
)
openid.check(
    issuer=OIDC_ISSUER,
    client_id=OIDC_CLIENT_ID,
    secret=OIDC_CLIENT_SECRET,
    scopes=OIDC_SCOPES,
    passwords=PASSWORDS,
)
SOCIALACCOUNT_ADAPTER = "labeling.accounts.openid.adapter.SignInAdapter"
ACCOUNT_EMAIL_VERIFICATION = "none"
