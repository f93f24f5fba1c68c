//! The examples themselves.

/// Each command's path, and its examples. After two blanks stands what one does; what follows an empty line
/// is said below them.
pub(super) const EXAMPLES: &[(&str, &str)] = &[
    (
        "serve",
        "  plimsoll serve                                       SQLite in ./plimsoll-data, on 127.0.0.1:8400
  plimsoll serve --config /etc/plimsoll/plimsoll.toml
  plimsoll serve --database-url postgres://plimsoll@db/plimsoll
  plimsoll serve --print-config                        each value and where it came from

A value comes from the flag, else the environment (PLIMSOLL_LISTEN, ...), else the file, else the default.",
    ),
    (
        "demo",
        "  plimsoll demo                     tell the story, then serve until Ctrl-C
  plimsoll demo --once              end after the story; exit 0 if every step went well
  plimsoll demo --targets process   no containers, even with an engine at hand",
    ),
    ("login", "  plimsoll login https://plimsoll.example.com"),
    ("logout", "  plimsoll logout"),
    (
        "context",
        "  plimsoll context list
  plimsoll context set prod https://plimsoll.example.com --protected
  plimsoll context use prod",
    ),
    ("context list", "  plimsoll context list"),
    ("context set", "  plimsoll context set prod https://plimsoll.example.com --protected"),
    ("context use", "  plimsoll context use prod"),
    ("context delete", "  plimsoll context delete prod"),
    (
        "agent",
        "  plimsoll agent enrol --server https://plimsoll.example.com --token-file token
  plimsoll agent run",
    ),
    ("agent run", "  plimsoll agent run --data-dir /var/lib/plimsoll-agent"),
    (
        "agent enrol",
        "  plimsoll agent enrol --server https://plimsoll.example.com --token-file token
  plimsoll agent enrol --server https://10.0.0.5 --token-file token --ca-file ca.pem",
    ),
    ("agent keys", "  plimsoll agent keys > key.pem"),
    ("agent sticker", "  plimsoll agent sticker verify /var/lib/plimsoll/shop.plimsoll.json --key key.pem"),
    ("agent sticker verify", "  plimsoll agent sticker verify /var/lib/plimsoll/shop.plimsoll.json --key key.pem"),
    (
        "admin",
        "  plimsoll admin reset-password admin
  plimsoll admin unlock acme/ada

Run it on the server's host, with the server's configuration; the server may be running.",
    ),
    ("admin reset-password", "  plimsoll admin reset-password admin"),
    ("admin unlock", "  plimsoll admin unlock acme/ada"),
    ("admin grant-admin", "  plimsoll admin grant-admin acme/ada"),
    (
        "integration",
        "  plimsoll integration create --file hub.yaml
  plimsoll integration test hub
  plimsoll integration discover hub repository --query shop",
    ),
    ("integration list", "  plimsoll integration list"),
    ("integration get", "  plimsoll integration get hub -o yaml"),
    (
        "integration create",
        "  plimsoll integration create --file hub.yaml

hub.yaml:
  name: hub
  typeId: oci_registry
  config: { url: https://registry.example.com }",
    ),
    ("integration update", "  plimsoll integration update hub --file hub.yaml"),
    ("integration delete", "  plimsoll integration delete hub"),
    ("integration test", "  plimsoll integration test hub   exit 5 when a check fails"),
    ("integration discover", "  plimsoll integration discover hub repository --query shop"),
    (
        "component",
        "  plimsoll component create --file api.yaml
  plimsoll component sync api
  plimsoll component versions api",
    ),
    ("component list", "  plimsoll component list -o name"),
    ("component get", "  plimsoll component get api -o json"),
    ("component create", "  plimsoll component create --file api.yaml"),
    ("component update", "  plimsoll component update api --file api.yaml"),
    ("component delete", "  plimsoll component delete api"),
    ("component versions", "  plimsoll component versions api --limit 5"),
    ("component sync", "  plimsoll component sync api"),
    (
        "release",
        "  plimsoll release create shop@2.4.1 api:2.4.1 web:2.4.1 --finalize
  plimsoll release state shop@2.4.1
  plimsoll release list --filter '{\"status\":\"ready\"}'",
    ),
    ("release list", "  plimsoll release list --filter '{\"status\":\"ready\"}' --sort -createdAt"),
    ("release get", "  plimsoll release get shop@2.4.1 -o yaml"),
    (
        "release create",
        "  plimsoll release create shop@2.4.1 api:2.4.1 web:2.4.1 --finalize
  plimsoll release create shop@2.4.1 api@sha256:… --notes 'faster checkout'

The components come up in the order given.",
    ),
    ("release ready", "  plimsoll release ready shop@2.4.1"),
    ("release state", "  plimsoll release state shop@2.4.1"),
    ("release delete", "  plimsoll release delete shop@2.4.1"),
    (
        "env",
        "  plimsoll env create --data '{\"name\":\"staging\"}'
  plimsoll env list",
    ),
    ("env list", "  plimsoll env list"),
    ("env get", "  plimsoll env get prod -o yaml"),
    ("env create", "  plimsoll env create --data '{\"name\":\"staging\"}'"),
    ("env update", "  plimsoll env update prod --file prod.yaml"),
    ("env delete", "  plimsoll env delete staging"),
    (
        "target",
        "  plimsoll target create --file web-1.yaml
  plimsoll target get prod/web-1",
    ),
    ("target list", "  plimsoll target list --filter '{\"status\":\"unhealthy\"}'"),
    ("target get", "  plimsoll target get prod/web-1"),
    ("target create", "  plimsoll target create --file web-1.yaml"),
    ("target update", "  plimsoll target update prod/web-1 --file web-1.yaml"),
    ("target delete", "  plimsoll target delete prod/web-1"),
    (
        "agents",
        "  plimsoll agents list -o wide
  plimsoll agents get host-1

Agents enrol themselves, with a registration token: plimsoll agent enrol --help.",
    ),
    ("agents list", "  plimsoll agents list -o wide"),
    ("agents get", "  plimsoll agents get host-1"),
    ("agents update", "  plimsoll agents update host-1 --data '{\"name\":\"host-1\",\"labels\":{\"site\":\"a\"}}'"),
    ("agents delete", "  plimsoll agents delete host-1"),
    (
        "promote",
        "  plimsoll promote shop@2.4.1 --to prod
  plimsoll promote shop@2.4.1 --to prod --wait --timeout 900 -o json
  plimsoll promote shop@2.4.1 --to prod --preview",
    ),
    (
        "approve",
        "  plimsoll promotion pending
  plimsoll approve 01890a5d-ac96-774b-bcce-b302099a8057 --comment 'looked at the changes'",
    ),
    ("reject", "  plimsoll reject 01890a5d-ac96-774b-bcce-b302099a8057 --comment 'not before the sale ends'"),
    (
        "promotion",
        "  plimsoll promotion pending
  plimsoll promotion decision 01890a5d-ac96-774b-bcce-b302099a8057",
    ),
    ("promotion list", "  plimsoll promotion list --filter '{\"status\":\"awaiting_approval\"}'"),
    ("promotion pending", "  plimsoll promotion pending"),
    ("promotion get", "  plimsoll promotion get 01890a5d-ac96-774b-bcce-b302099a8057"),
    ("promotion decision", "  plimsoll promotion decision 01890a5d-ac96-774b-bcce-b302099a8057"),
    ("promotion approvals", "  plimsoll promotion approvals 01890a5d-ac96-774b-bcce-b302099a8057"),
    ("promotion evidence", "  plimsoll promotion evidence 01890a5d-ac96-774b-bcce-b302099a8057"),
    ("promotion watch", "  plimsoll promotion watch 01890a5d-ac96-774b-bcce-b302099a8057 --wait --until succeeded"),
    ("promotion cancel", "  plimsoll promotion cancel 01890a5d-ac96-774b-bcce-b302099a8057 --reason 'wrong release'"),
    (
        "job",
        "  plimsoll job list --limit 5
  plimsoll job watch 01890a5d-ac96-774b-bcce-b302099a8057",
    ),
    ("job list", "  plimsoll job list --filter '{\"status\":\"running\"}'"),
    ("job get", "  plimsoll job get 01890a5d-ac96-774b-bcce-b302099a8057"),
    ("job tasks", "  plimsoll job tasks 01890a5d-ac96-774b-bcce-b302099a8057 -o wide"),
    ("job watch", "  plimsoll job watch 01890a5d-ac96-774b-bcce-b302099a8057 --wait --timeout 600"),
    ("job cancel", "  plimsoll job cancel 01890a5d-ac96-774b-bcce-b302099a8057 --rollback --reason 'it loses orders'"),
    (
        "logs",
        "  plimsoll logs 01890a5d-ac96-774b-bcce-b302099a8057 --target web-1
  plimsoll logs 01890a5d-ac96-774b-bcce-b302099a8057 --follow",
    ),
    (
        "rollback",
        "  plimsoll rollback shop --env prod --reason 'errors since 14:02'
  plimsoll rollback shop --env prod --to 2.4.0 --reason 'errors'",
    ),
    (
        "freeze",
        "  plimsoll freeze create prod --file sale.yaml
  plimsoll freeze list prod",
    ),
    ("freeze list", "  plimsoll freeze list prod"),
    (
        "freeze create",
        "  plimsoll freeze create prod --file sale.yaml

sale.yaml:
  name: sale
  reason: the sale
  startsAt: 2030-11-26T00:00:00Z
  endsAt: 2030-11-30T00:00:00Z",
    ),
    ("freeze delete", "  plimsoll freeze delete prod sale --reason 'the sale is over'"),
    (
        "evidence",
        "  plimsoll evidence list --limit 5
  plimsoll evidence download 01890a5d-ac96-774b-bcce-b302099a8057 > packet.json
  plimsoll evidence verify packet.json --key plimsoll.pem",
    ),
    ("evidence list", "  plimsoll evidence list --filter '{\"type\":\"deployment\"}'"),
    ("evidence get", "  plimsoll evidence get 01890a5d-ac96-774b-bcce-b302099a8057"),
    (
        "evidence key",
        "  plimsoll evidence key > plimsoll.pem

Keep it where you verify. Compare its fingerprint with somebody you trust.",
    ),
    ("evidence download", "  plimsoll evidence download 01890a5d-ac96-774b-bcce-b302099a8057 > packet.json"),
    ("evidence verify", "  plimsoll evidence verify packet.json --key plimsoll.pem"),
    ("evidence replay", "  plimsoll evidence replay packet.json --key plimsoll.pem"),
    (
        "sticker",
        "  plimsoll sticker list --filter '{\"application\":\"shop\"}'
  plimsoll sticker read prod/web-1
  plimsoll sticker verify /var/lib/plimsoll/shop.plimsoll.json --key plimsoll.pem",
    ),
    ("sticker list", "  plimsoll sticker list --filter '{\"application\":\"shop\"}'"),
    ("sticker get", "  plimsoll sticker get 01890a5d-ac96-774b-bcce-b302099a8057 -o json"),
    ("sticker read", "  plimsoll sticker read prod/web-1"),
    ("sticker verify", "  plimsoll sticker verify /var/lib/plimsoll/shop.plimsoll.json --key plimsoll.pem"),
    (
        "api",
        "  plimsoll api GET /api/v1/components
  plimsoll api GET components -Q pageSize=100 -Q 'filter={\"name\":{\"$contains\":\"api\"}}'
  plimsoll api POST environments --data '{\"name\":\"dev\"}'
  plimsoll api PUT environments/ID --data @dev.json -H 'If-Match: \"3\"'

A path without a slash in front is below /api/v1. The answer is printed as it came.",
    ),
    (
        "completion",
        "  plimsoll completion bash > /etc/bash_completion.d/plimsoll
  plimsoll completion man --dir /usr/local/share/man

The script asks plimsoll itself, which offers names of what the server in use has now. Make it anew with each version.",
    ),
    ("completion bash", "  plimsoll completion bash > /etc/bash_completion.d/plimsoll"),
    ("completion zsh", "  plimsoll completion zsh > /usr/local/share/zsh/site-functions/_plimsoll"),
    ("completion fish", "  plimsoll completion fish > ~/.config/fish/completions/plimsoll.fish"),
    ("completion man", "  plimsoll completion man --dir /usr/local/share/man   then: man plimsoll-promote"),
    ("version", "  plimsoll version -o json"),
];
