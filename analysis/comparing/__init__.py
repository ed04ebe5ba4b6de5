"""Two recordings against each other: by how much they differ, how sure that is, and how faithful a replay is.

`_comparison` puts together what `_change`, `_effect` and `_failures` find and `_verdict` says in a sentence;
`_bootstrap` draws requests again, `_pairs` finds which exchange is the replay of which. `_fidelity` is apart.
"""
