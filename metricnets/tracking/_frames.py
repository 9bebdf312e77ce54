import numpy as np
def check_frame(frame):
    return np.asarray(frame, np.float32) / 255
def check_box(box):
    return np.asarray(box, float)
