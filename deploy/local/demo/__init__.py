"""The demo stands outside: it uses what any shop front or subscriber may use, and believes only what they can see."""
