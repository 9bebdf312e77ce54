"""MetricTracker: an object followed in image sequences by a metric that is updated on line."""

from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from metricnets._params import Count, Seed, MaybeCount, MaybeObject, Parametrized, Positive, Share, ZeroToOne, fitting
from metricnets.tracking._frames import check_box, check_frame
from metricnets.tracking._marginal_fisher import marginal_fisher
from metricnets.tracking._patches import channels, normalized, sampled, windows

STRIDE = 2
JITTER = 9
SCALES = np.array([-1, 0, 1])
OVERLAP = 0.6  # windows whose centres are further away, in sizes of the target, are background


class MetricTracker(Parametrized):
    metric: MaybeObject = None
    n_components: Count = 16
    n_neighbors_within: Count = 5
    n_neighbors_between: Count = 10
    shrinkage: Share = 0.1
    n_pixels: Count = 256
    radius: Positive = 1.0
    scale_step: Positive = 1.04
    update_interval: MaybeCount = 2
    n_templates: Count = 10
    n_background: Count = 150
    min_confidence: ZeroToOne = 0.2
    turn: Positive = 0.15
    prior: Positive = 0.1
    max_drift: Positive = 0.5
    random_state: Seed = None

    @fitting
    def init(self, frame, box):
        image = check_frame(frame)
        box = check_box(box)
        self.rng_ = np.random.RandomState(0)
        self.frame_shape_ = image.shape
        x, y, w, h = box
        self.center_ = np.array([y + h / 2, x + w / 2])
        self.size_ = np.array([h, w])
        self.step_ = float(np.sqrt(h * w / self.n_pixels))
        self.shape_ = tuple(np.maximum(4, np.round(self.size_ / self.step_)).astype(int))
        self.scale_ = 1.0
        self.velocity_ = np.zeros(2)
        self.n_lost_ = self.n_frames_ = 0
        self.confidence_ = 1.0; self.usual_ = 0.6
        first = self._at(image, *self._jitter(0.05, 1.0, 40))
        self.first_ = first
        self.recent_ = np.empty((0, first.shape[1]), first.dtype)
        self.older_ = self.recent_
        parts = []
        for k in (0.75, 1.0, 1.3):
            feats, offs = self._dense(image, self.center_, k, 2.5 / k)
            far = np.abs(offs / self.size_).max(axis=1) > OVERLAP
            neg = feats[far]
            top = np.argsort(-(neg @ first[0]))[: self.n_background // 6]
            rest = self.rng_.permutation(len(neg))[: self.n_background // 6]
            parts.append(neg[np.unique(np.r_[top, rest])])
        self.fixed_background_ = np.vstack(parts)
        self.background_ = np.empty((0, first.shape[1]), first.dtype)
        self._learn()
        return self

    def _jitter(self, scale, shift, n):
        s = np.exp(self.rng_.uniform(-scale, scale, n)) * self.scale_
        c = self.center_ + self.rng_.uniform(-shift, shift, (n, 2)) * self.step_
        s[0], c[0] = self.scale_, self.center_
        a = self.rng_.uniform(-self.turn, self.turn, n)
        a[0] = 0
        return c, s, a

    def _at(self, image, centers, scales, angles=0.0):
        shape = np.add(self.shape_, 2)
        return normalized(channels(sampled(image, np.asarray(centers), self.step_ * np.asarray(scales), shape, angles)))

    def _dense(self, image, center, scale, radius):
        step = self.step_ * scale
        n = np.round(radius * self.size_ / self.step_ / STRIDE).astype(int)
        shape = np.array(self.shape_) + 2 * n * STRIDE + 2
        maps = channels(sampled(image, center[None], np.array([step]), shape)[0])
        w = windows(maps, self.shape_, STRIDE)
        offs = np.stack(np.meshgrid(*(np.arange(-k, k + 1) for k in n), indexing="ij"), axis=-1).reshape(-1, 2) * STRIDE * step
        return normalized(w.reshape(-1, *w.shape[2:])), offs

    def _learn(self):
        X = np.vstack([self.first_, self.older_, self.recent_, self.fixed_background_, self.background_]).astype(float)
        codes = np.r_[np.zeros(len(self.first_) + len(self.older_) + len(self.recent_), int), np.ones(len(self.fixed_background_) + len(self.background_), int)]
        if self.metric == "euclidean":
            self.L_ = np.eye(X.shape[1], dtype=np.float32)
            return self._embed_refs()
        L, mean = marginal_fisher(X, codes, n_within=self.n_neighbors_within, n_between=self.n_neighbors_between,
                            n_components=self.n_components, shrinkage=self.shrinkage)
        self.L_ = L.T.astype(np.float32)
        self._embed_refs()

    def _embed_refs(self):
        self.z_first_ = self.first_[:1] @ self.L_
        self.z_recent_ = np.vstack([self.older_, self.recent_]) @ self.L_
        self.z_neg_ = np.vstack([self.fixed_background_, self.background_]) @ self.L_

    def _score(self, X):
        z = X.astype(np.float32) @ self.L_
        d = lambda a: np.sqrt(np.maximum((z**2).sum(1)[:, None] - 2 * z @ a.T + (a**2).sum(1), 0))
        d1 = d(self.z_first_).min(1)
        pos = d1 if not len(self.z_recent_) else (self.max_drift * d1 + (1 - self.max_drift) * np.minimum(d1, d(self.z_recent_).min(1)))
        neg = d(self.z_neg_).min(1)
        return neg / (neg + pos + 1e-9)

    def _refined(self, image, c, s):
        n = 50
        pc = c + self.rng_.normal(0, 0.7, (n, 2)) * self.step_ * s
        ps = s * np.exp(self.rng_.normal(0, 0.02 if not self.n_lost_ else 0.05, n))
        pc[0], ps[0] = c, s
        psc = self._score(self._at(image, pc, ps))
        top = np.argsort(-psc)[:5]
        return pc[top].mean(0), np.exp(np.log(ps[top]).mean()), psc[top].mean()

    @fitting
    def update(self, frame):
        image = check_frame(frame)
        self.n_frames_ += 1
        predicted = self.center_ + self.velocity_
        radius = min(self.radius * (1 + 0.2 * self.n_lost_), 2.5)
        scales = self.scale_ * self.scale_step ** (SCALES * (4 if self.n_lost_ % 3 == 2 else 1))
        fs, cs, ss = [], [], []
        for s in scales:
            f, offs = self._dense(image, predicted, s, radius / (s / 1.0) * self.scale_)
            fs.append(f); cs.append(predicted + offs); ss.append(np.full(len(f), s))
        F, C, S = np.vstack(fs), np.vstack(cs), np.hstack(ss)
        sc = self._score(F)
        away = np.linalg.norm((C - predicted) / (self.size_ * self.scale_), axis=1)
        raw = sc
        sc = sc - self.prior * away**2 / (1 + 0.3 * self.n_lost_)
        best = sc.argmax()
        apart = np.abs((C - C[best]) / (self.size_ * S[best])).max(axis=1) > OVERLAP
        second = np.where(apart, sc, -1).argmax()
        found = [self._refined(image, C[k], S[k]) + (k,) for k in ([best, second] if self.n_lost_ else [best])]
        penalty = raw - sc
        found.sort(key=lambda each: each[2] - penalty[each[3]])
        c_new, s_new, conf, best = found[-1]
        rivals = [sc[np.abs((C - C[best]) / (self.size_ * S[best])).max(axis=1) > OVERLAP].max(initial=0)]
        rivals += [each[2] - penalty[each[3]] for each in found[:-1]]
        self.margin_ = conf - penalty[best] - max(rivals)
        self.confidence_ = conf
        if self.margin_ >= 0.65 * self.min_confidence:
            self.usual_ = 0.9 * self.usual_ + 0.1 * conf
            c, s = c_new, s_new
            self.velocity_ = 0.5 * self.velocity_ + 0.5 * (c - self.center_) if not self.n_lost_ else np.zeros(2)
            self.center_, self.scale_, self.n_lost_ = c, float(np.clip(s, 0.3, 3)), 0
            if self.margin_ > self.min_confidence and self.update_interval and self.n_frames_ % self.update_interval == 0:
                new = self._at(image, *self._jitter(0.05, 0.5, 4))
                self.recent_ = np.vstack([self.recent_, new])[-4 * self.n_templates:]
                if self.n_frames_ % (5 * self.update_interval) == 0:
                    self.older_ = np.vstack([self.older_, new[:2]])[-2 * self.n_templates:]
                far = np.abs((C - c) / (self.size_ * s)).max(axis=1) > OVERLAP
                rows = np.flatnonzero(far)
                order = rows[np.argsort(-sc[rows])]
                hard = order[: 10]
                rand = self.rng_.permutation(rows)[:10]
                self.background_ = np.vstack([self.background_, F[hard], F[rand]])[-self.n_background:]
                self._learn()
        else:
            self.n_lost_ += 1
            self.velocity_ = self.velocity_ * 0.85
            self.center_ = np.clip(predicted, 0, image.shape)
        return self.box_

    @property
    def box_(self):
        h, w = self.size_ * self.scale_
        return np.array([self.center_[1] - w / 2, self.center_[0] - h / 2, w, h])
