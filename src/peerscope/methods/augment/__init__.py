"""Random views of image batches, drawn and made on the images' device."""

from peerscope.methods.augment.recipe import COLOUR_32, GREY_28, Recipe
from peerscope.methods.augment.views import Drawn, TwoViews, View, normalised

__all__ = ["COLOUR_32", "GREY_28", "Drawn", "Recipe", "TwoViews", "View", "normalised"]
