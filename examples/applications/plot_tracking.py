"""
Tracking: an object that changes, hides and comes back
======================================================

A metric between an object and its background follows the object through a video.  Here the video is made: a textured
object moves before a textured background, changes its size, angle, light and texture, and is covered for some frames.
The sequence was chosen by looking at a few; the benchmark has figures.
"""

import matplotlib.pyplot as plt
import numpy as np

from metricnets.datasets import make_tracking_sequence
from metricnets.tracking import MetricTracker, center_error

frames, boxes = make_tracking_sequence(60, size=(180, 240), motion="sway", speed=3.0, scaling=1.2, random_state=6)

# %%
# The tracker is given the box of the first frame.  It updates the metric with each frame in which the object is clearly
# better than all other places; ``visible_`` says whether it saw the object.  Another one keeps the first metric.

updated = MetricTracker(random_state=0).init(frames[0], boxes[0])
kept = MetricTracker(update_interval=None, random_state=0).init(frames[0], boxes[0])
found, visible = [boxes[0]], [True]
for frame in frames[1:]:
    found.append(updated.update(frame))
    visible.append(updated.visible_)
fixed = np.vstack([boxes[0], kept.track(frames[1:])])

# %%
# Above: where the tracker sees the object (solid), or expects it while it is hidden (dashed), and where the object is
# (dotted).  Below: how far the centre of the box is from that of the object; the object was not seen in grey frames.

plt.style.use("tableau-colorblind10")
figure, axes = plt.subplot_mosaic(
    [["a", "b", "c", "d"], ["error"] * 4], figsize=(11, 4.6), layout="constrained", height_ratios=[1.1, 1]
)
hidden = np.flatnonzero(~np.array(visible))
shown = [8, hidden[len(hidden) // 2] if len(hidden) else 20, 40, 59]
for name, i in zip("abcd", shown):
    axes[name].imshow(frames[i], cmap="gray", vmin=0, vmax=255)
    seen = "-" if visible[i] else "--"
    for (x, y, w, h), style, colour, label in ((boxes[i], ":", "cyan", "object"), (found[i], seen, "gold", "tracker")):
        corner = (x - 0.5, y - 0.5)
        axes[name].add_patch(plt.Rectangle(corner, w, h, fill=False, ls=style, ec=colour, lw=2, label=label))
    axes[name].set(title=f"frame {i}" + ("" if visible[i] else ", not seen"), xticks=[], yticks=[])
axes["a"].legend(loc="lower left", fontsize="small")
for boxes_of, label, style in ((found, "metric updated", "-"), (fixed, "metric of the first frame", "--")):
    axes["error"].plot(center_error(boxes_of, boxes), style, label=label)
for i in hidden:
    axes["error"].axvspan(i - 0.5, i + 0.5, color="lightgray", label="object not seen" if i == hidden[0] else None)
axes["error"].set(xlabel="frame", ylabel="error of the centre in pixels", ylim=(0, None), xlim=(0, 59))
axes["error"].legend()
