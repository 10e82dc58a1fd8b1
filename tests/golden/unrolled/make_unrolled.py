#!/usr/bin/env python3
"""Makes the golden vectors of the unrolled discriminator: the gradient through Adam's updates, by torch.autograd.

A discriminator of three dense layers (tanh, tanh, linear) with two logits makes `ahead` updates on the loss of real points
(class 1) and generated ones (class 0), from given moments and a given number of updates before. The loss of the generator is
the discriminator's after these updates with the other sign. All in float64 with create_graph=True, Adam being written out;
stored as float32.

    CASE.w1, b1, ...               parameters, dense weights [out,in]
    CASE.m_w1, v_w1, ...           Adam's moments
    CASE.real, CASE.fake           points [N,2]
    CASE.expected.loss             the loss of the generator
    CASE.expected.g_fake           its gradient with respect to the generated points
    CASE.expected.g_w1, ...        and to the parameters before the updates

Metadata `cases` has for each case ahead, updates, rate, beta1, beta2, epsilon and hat (whether epsilon is on the uncorrected
root).

    python3 make_unrolled.py       writes unrolled-7.safetensors next to this script; twice gives identical bytes
"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import numpy as np
import torch
import torch.nn.functional as F
from make_golden import save



def single(x):
    """As float32 has it: 1 - 0.999 is another number there by a hundred-thousandth."""
    return float(np.float32(x))


ADAM = {"rate": single(0.01), "beta1": 0.5, "beta2": single(0.999), "epsilon": single(1e-8)}
CASES = {"corrected": dict(ADAM, ahead=5, updates=7, hat=False), "hat": dict(ADAM, ahead=3, updates=40, hat=True),
         "small_rate": dict(ADAM, rate=single(1e-4), ahead=10, updates=1000, hat=False)}
WIDTHS = (2, 9, 7, 2)
BATCH = 6


def score_loss(w, x, target):
    h = torch.tanh(x @ w["w1"].T + w["b1"])
    h = torch.tanh(h @ w["w2"].T + w["b2"])
    return F.cross_entropy(h @ w["w3"].T + w["b3"], torch.full((len(x),), target))


def loss(w, real, fake):
    return score_loss(w, real, 1) + score_loss(w, fake, 0)


def unrolled(c, w, m, v, real, fake):
    for k in range(c["ahead"]):
        t = c["updates"] + k + 1
        c1, c2 = 1 - c["beta1"] ** t, (1 - c["beta2"] ** t) ** 0.5
        g = dict(zip(w, torch.autograd.grad(loss(w, real, fake), list(w.values()), create_graph=True)))
        m = {n: c["beta1"] * m[n] + (1 - c["beta1"]) * g[n] for n in w}
        v = {n: c["beta2"] * v[n] + (1 - c["beta2"]) * g[n] ** 2 for n in w}
        if c["hat"]:
            w = {n: w[n] - c["rate"] * c2 / c1 * m[n] / (v[n].sqrt() + c["epsilon"]) for n in w}
        else:
            w = {n: w[n] - c["rate"] * (m[n] / c1) / (v[n].sqrt() / c2 + c["epsilon"]) for n in w}
    return -loss(w, real, fake)


def main():
    out = {}
    for number, (name, c) in enumerate(CASES.items()):
        random = np.random.RandomState(7 + number)

        # What both sides start from is float32.
        def draw(*shape, low=-1.0, high=1.0):
            return torch.tensor(random.uniform(low, high, shape).astype(np.float32).astype(np.float64), requires_grad=True)

        w = {}
        for layer in (1, 2, 3):
            rows, columns = WIDTHS[layer], WIDTHS[layer - 1]
            w["w%d" % layer], w["b%d" % layer] = draw(rows, columns, low=-1, high=1), draw(rows, low=-0.3, high=0.3)
        m = {n: draw(*p.shape, low=-0.05, high=0.05) for n, p in w.items()}
        v = {n: draw(*p.shape, low=1e-4, high=4e-3) for n, p in w.items()}
        real, fake = draw(BATCH, 2), draw(BATCH, 2)
        value = unrolled(c, w, m, v, real, fake)
        gradients = torch.autograd.grad(value, [fake, *w.values()])
        tensors = {**w, **{"m_" + n: t for n, t in m.items()}, **{"v_" + n: t for n, t in v.items()}, "real": real, "fake": fake,
                   "expected.loss": value, **{"expected.g_" + n: g for n, g in zip(["fake", *w], gradients)}}
        out.update({"%s.%s" % (name, n): t.detach().numpy() for n, t in tensors.items()})
    save(os.path.join(HERE, "unrolled-7.safetensors"), out, {"format": "peer-golden-1", "cases": CASES, "torch": torch.__version__})


if __name__ == "__main__":
    main()
