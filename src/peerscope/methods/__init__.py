"""How representations are learned: losses and diagnostics as plain PyTorch and NumPy.

Knows nothing of works, readers or pages, and runs on a bare machine with torch and numpy. `contrastive`
needs torch; `collapse` needs NumPy only, so that a publication gate can ask it without torch.
"""
