#!/usr/bin/env python3
"""Makes the golden vectors of the test suite: small networks and single operations computed by PyTorch in float64.

Every file is a safetensors file (float32, little endian) whose metadata say what it holds (`format` peer-golden-1):

    param.<net>.<layer>.<leaf>           initial parameters, and running statistics of batch norms
    input.<name>                         the minibatch, and noise, labels, masks where there are any
    expected.out.<name>                  forward values in training mode; `g_eval`: the generator with its running statistics
    expected.loss.<name>                 the loss of each network and its parts
    expected.grad.<net>.<layer>.<leaf>   gradient of the network's own loss
    expected.grad_fake_input.g           gradient of the generator's loss with respect to the generated images
    expected.grad_w.d.*, grad_gp.d.*     wgan_gp: gradients of the distance and of the penalty alone
    expected.grad_real.d.*, grad_fake.d.* cifar: those of the two halves
    expected.after1.<net>.<layer>.<leaf> parameters after one optimizer step from `param` with `expected.grad`, and the clip;
                                         running statistics after one pass of the generator
    expected.trace.<name>                losses of three iterations of the model's schedule on the same minibatch

`ops-*` hold single operations: `<case>.<input>`, `<case>.gy` (upstream gradient), `<case>.expected.y`,
`<case>.expected.g_<input>`; metadata `cases` has the attributes.  Optimizer cases: `p0`, `g1`..`g3`,
`expected.p1`..`p3`.

The networks with one loss are in this file, the adversarial ones in adversarial.py.

Images are [N,C,H,W] (or [N,H*W] with one channel), convolution weights OIHW, transposed ones IOHW, dense ones [out,in].
Widths are small and odd on purpose: 5 and 7 channels, 20x20 images, rectangular planes, uneven padding.

A relu whose input is next to zero may switch in float32 and change whole gradient entries.  Parameters and inputs come
from a counter-based generator; of many `salt`s the one is taken that keeps every pre-activation farthest from zero
(`kink_margin`: smallest |value| / rms of a layer), adversarial models over the whole trace.  `f32_deviation` is what float32 really costs: the worst of two
torch float32 runs, with oneDNN and without, against float64.  Tests base their allowances on it.

    python3 make_golden.py                     writes the files next to this script; twice gives identical bytes
    python3 make_golden.py --out DIR           writes them elsewhere
    python3 make_golden.py --model dcgan --batch 3 --config img=24 d_c1=17 --seed 8 --out DIR
                                               writes another one of a model; what is not said is as in the file here
    python3 make_golden.py --verify FILE...    recomputes what such files expect and reports the worst difference

Needs torch and numpy (Debian: python3-torch python3-numpy).
"""
import argparse
import json
import os
import struct
import sys

try:
    import numpy as np
    import torch
    import torch.nn.functional as F
    import adversarial
    from adversarial import optimizer_for
    from layers import LEAK, conv, conv_transpose, same_pads
except ImportError as e:
    print("make_golden: %s; install the Debian packages python3-torch python3-numpy" % e, file=sys.stderr)
    sys.exit(2)

SEED = 7
SALTS = 1500
ADVERSARIAL_SALTS = 1000
FINALISTS = 50
TRACE = adversarial.TRACE
KERNEL = 5
LOGVAR_LIMIT = 10.0
MIN_MARGIN = 1e-4
MIN_ACTIVE = 0.2
LAYOUTS = {"images": "[N,C,H,W]; 'flat' images are [N,H*W] (one channel)", "dense": "weight [out,in], y = x W^T + b",
           "conv": "weight OIHW, cross-correlation", "convT": "weight IOHW (torch ConvTranspose2d): in-channel first",
           "flatten": "C,H,W order"}
NOTE = ("expected.* computed in float64, stored as float32; f32_deviation is the worst of two torch float32 CPU runs "
        "(oneDNN on/off) against float64")

# file -> architecture, batch, config, learning rate
NETWORKS = {
    "cae": ("cae", 3, dict(img=20, latent=6, c1=5, c2=7), 1e-4),
    "vae": ("vae", 2, dict(img=28, latent=4, c1=8, c2=6, recon="mean"), 1e-4),
    "vae_sum": ("vae", 3, dict(img=12, latent=3, c1=4, c2=5, recon="sum"), 1e-4),
    "vae_bce": ("vae_logvar", 3, dict(img=16, latent=5, c1=3, c2=4, recon="bce"), 1e-3),
}

# file -> architecture, batch, config
PLAYERS = {
    "gan": ("gan", 3, dict(img=9, latent=5, d_h1=17, d_h2=7, g_h1=7, g_h2=17)),
    "cgan": ("cgan", 5, dict(img=10, latent=3, classes=7, d_h1=7, d_h2=5, g_h1=17, g_h2=5)),
    "dcgan": ("dcgan", 5, dict(img=20, latent=7, d_c1=5, d_c2=7, d_fc=17, g_fc=7, g_c1=7, g_c2=5)),
    "wgan": ("wgan", 3, dict(img=24, latent=5, d_c1=3, d_c2=5, d_fc=9, g_fc=7, g_c1=5, g_c2=3, lr=5e-5, clip=0.125)),
    "wgan_gp": ("wgan_gp", 3, dict(img=16, colors=3, latent=7, d_ch=[5, 7], g_ch=[7, 5], slopes=[0.2, 0.1], gp_weight=10.0)),
    "began": ("began", 3, dict(img=12, colors=2, n=3, latent=5, gamma=0.5, lambda_k=0.001)),
    "cs231n": ("cs231n", 3, dict(img=8, colors=1, latent=13, d_c1=5, d_c2=7, d_fc=17, bn="seed")),
    "cs231n_affine": ("cs231n", 5, dict(img=12, colors=1, latent=7, d_c1=3, d_c2=5, d_fc=9, bn="affine")),
    "cifar": ("cifar", 3, dict(base=2, colors=2, latent=7, d_ch=[3, 5, 7, 9], g_ch=[7, 5, 3, 5], drop=0.4)),
    "toy2d": ("toy2d", 7, dict(latent=3, dim=2, d_h1=7, d_h2=5)),
}


# ------------------------------------------------------------------------------------------------------- safetensors

def save(path, tensors, metadata):
    """u64 header length, JSON header, raw float32 data."""
    strings = {k: v if isinstance(v, str) else json.dumps(v, separators=(",", ":")) for k, v in metadata.items()}
    header, blobs, at = {"__metadata__": strings}, [], 0
    for name, value in tensors.items():
        raw = np.asarray(value, dtype="<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(np.shape(value)), "data_offsets": [at, at + len(raw)]}
        blobs.append(raw)
        at += len(raw)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def load(path):
    """(name -> array, metadata); metadata values that are JSON are decoded."""
    with open(path, "rb") as f:
        raw = f.read()
    start = 8 + struct.unpack_from("<Q", raw)[0]
    header = json.loads(raw[8:start])
    metadata = header.pop("__metadata__", {})
    for key, text in metadata.items():
        try:
            metadata[key] = json.loads(text)
        except ValueError:
            pass
    kinds = {"F32": "<f4", "I32": "<i4"}
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        tensors[name] = np.frombuffer(raw[start + begin:start + end], kinds[entry["dtype"]]).reshape(entry["shape"])
    return tensors, metadata


# ------------------------------------------------------------------------------------------------------------ random

def uniform(salt, name, shape, low, high):
    """Float32 values that depend only on the arguments: splitmix64 over a counter, keyed by a hash of the name."""
    key = 0xCBF29CE484222325
    for byte in ("%d/%d/%s" % (SEED, salt, name)).encode():
        key = (key ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    count = int(np.prod(shape, dtype=np.int64))
    with np.errstate(over="ignore"):
        z = np.uint64(key) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    unit = (z >> np.uint64(40)).astype(np.float64) * 2.0 ** -24
    return (low + (high - low) * unit).astype(np.float32).reshape(shape)


# ---------------------------------------------------------------------------------------------------------- networks

def parameter_shapes(architecture, config):
    """Layer -> (weight shape, number of biases, fan in + fan out), in the order of the files."""
    c1, c2, latent = config["c1"], config["c2"], config["latent"]
    features = c2 * (config["img"] // 4) ** 2
    heads = {"cae": ("latent",), "vae": ("w_mean", "w_stddev"), "vae_logvar": ("w_mean", "w_logvar")}[architecture]
    area = KERNEL * KERNEL
    shapes = {"conv1": ((c1, 1, KERNEL, KERNEL), c1, area * (1 + c1)),
              "conv2": ((c2, c1, KERNEL, KERNEL), c2, area * (c1 + c2))}
    shapes.update({h: ((latent, features), latent, latent + features) for h in heads})
    shapes["z_matrix"] = ((features, latent), features, latent + features)
    shapes["deconv1"] = ((c2, c1, KERNEL, KERNEL), c1, area * (c1 + c2))
    shapes["deconv2"] = ((c1, 1, KERNEL, KERNEL), 1, area * (1 + c1))
    return shapes


def forward(architecture, config, p, inputs, probe=None):
    """(loss, loss parts, outputs).  `probe` is told every pre-activation of a relu."""
    side, c2 = config["img"], config["c2"]
    x = inputs["x"]

    def relu(name, value):
        if probe is not None:
            probe(name, value.detach())
        return F.relu(value)

    def down(name, value):
        pads = same_pads(value.shape[2], KERNEL, 2) + same_pads(value.shape[3], KERNEL, 2)
        return conv(value, p[name + ".weight"], p[name + ".bias"], 2, pads)

    def up(name, value):
        crop = same_pads(2 * value.shape[2], KERNEL, 2) + same_pads(2 * value.shape[3], KERNEL, 2)
        return conv_transpose(value, p[name + ".weight"], p[name + ".bias"], 2, crop)

    def dense(name, value):
        return F.linear(value, p[name + ".weight"], p[name + ".bias"])

    h = relu("conv1", down("conv1", x.view(-1, 1, side, side)))
    features = relu("conv2", down("conv2", h)).flatten(1)
    out = {}
    if architecture == "cae":
        z = dense("latent", features)
    else:
        mean = dense("w_mean", features)
        if architecture == "vae":
            stddev = dense("w_stddev", features)
            out = {"mean": mean, "stddev": stddev}
        else:
            logvar = dense("w_logvar", features).clamp(-LOGVAR_LIMIT, LOGVAR_LIMIT)
            stddev = torch.exp(0.5 * logvar)
            out = {"mean": mean, "logvar": logvar}
        z = mean + stddev * inputs["eps"]
    h = relu("z_matrix", dense("z_matrix", z)).view(-1, c2, side // 4, side // 4)
    logits = up("deconv2", relu("deconv1", up("deconv1", h))).flatten(1)
    y = torch.sigmoid(logits)
    out = {"y": y, **out, "z": z}

    if architecture == "cae":
        return F.mse_loss(y, x), {}, out
    if config["recon"] == "mean":
        rec = F.mse_loss(y, x)
    elif config["recon"] == "sum":
        rec = (y - x).square().sum(1).mean()
    else:
        rec = F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1).mean()
    if architecture == "vae":
        kl = kl_stddev(mean, stddev)
    else:
        kl = kl_logvar(mean, logvar)
    return rec + kl, {"rec": rec, "kl": kl}, out


def kl_stddev(mean, stddev):
    return 0.5 * (mean.square() + stddev.square() - stddev.square().log() - 1).sum(1).mean()


def kl_logvar(mean, logvar):
    return -0.5 * (1 + logvar - mean.square() - logvar.exp()).sum(1).mean()


def net_name(architecture):
    return "ae" if architecture == "cae" else "vae"


def network_gradient(architecture, config, params, inputs, dtype):
    """Forward values, losses and gradients, by golden name without 'expected.'."""
    p = {k: torch.tensor(v, dtype=dtype, requires_grad=True) for k, v in params.items()}
    inputs = {k: torch.tensor(v, dtype=dtype) for k, v in inputs.items()}
    loss, parts, outputs = forward(architecture, config, p, inputs)
    loss.backward()
    net = net_name(architecture)
    result = {"loss." + net: loss}
    result.update({"loss." + k: v for k, v in parts.items()})
    result.update({"out." + k: v for k, v in outputs.items()})
    result.update({"grad.%s.%s" % (net, k): v.grad for k, v in p.items()})
    return {k: v.detach().double().numpy() for k, v in result.items()}


def network_after1(net, params, grads, options, dtype):
    """One optimizer step from `params` with `grads`."""
    p = {k: torch.tensor(v, dtype=dtype, requires_grad=True) for k, v in params.items()}
    for k, v in p.items():
        v.grad = torch.tensor(grads["grad.%s.%s" % (net, k)], dtype=dtype)
    optimizer_for(list(p.values()), options).step()
    return {"after1.%s.%s" % (net, k): v.detach().double().numpy() for k, v in p.items()}


def network_trace(architecture, config, params, inputs, options, dtype, count):
    p = {k: torch.tensor(v, dtype=dtype, requires_grad=True) for k, v in params.items()}
    inputs = {k: torch.tensor(v, dtype=dtype) for k, v in inputs.items()}
    optimizer, losses = optimizer_for(list(p.values()), options), []
    for _ in range(count):
        optimizer.zero_grad()
        loss = forward(architecture, config, p, inputs)[0]
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
    return {"trace.loss": np.array(losses)}


def network_expected(architecture, config, params, inputs, options, dtype, grads=None):
    """Everything a file expects.  `grads`: gradients for the single step (default: the computed ones)."""
    result = network_gradient(architecture, config, params, inputs, dtype)
    result.update(network_after1(net_name(architecture), params, grads or result, options, dtype))
    result.update(network_trace(architecture, config, params, inputs, options, dtype, TRACE))
    return result


def network_data(model, salt):
    """Parameters and inputs.

    Images and activations are positive: filters without a mean keep both sides of the relus in use.
    """
    architecture, batch, config, _ = NETWORKS[model]
    params = {}
    for layer, (shape, channels, fans) in parameter_shapes(architecture, config).items():
        limit = (6.0 / fans) ** 0.5
        weight = uniform(salt, layer + ".weight", shape, -limit, limit)
        if len(shape) == 4:
            weight -= weight.mean((0, 2, 3) if layer.startswith("deconv") else (1, 2, 3), keepdims=True)
        params[layer + ".weight"] = weight
        params[layer + ".bias"] = uniform(salt, layer + ".bias", (channels,), -0.1, 0.1)
    inputs = {"x": uniform(salt, "x", (batch, config["img"] ** 2), 0.0, 1.0)}
    if architecture != "cae":
        inputs["eps"] = uniform(salt, "eps", (batch, config["latent"]), -2.0, 2.0)
    return params, inputs


def kink_margins(model, params, inputs):
    """Per relu: smallest |pre-activation| / rms, or 0 where a channel is all but dead (it would test nothing).

    A linear stddev head has its own singularity at zero (log), reported alike.
    """
    architecture, _, config, _ = NETWORKS[model]
    margins = {}

    def probe(name, value):
        active = (value > 0).double()
        share = active.mean((0, 2, 3)).min() if value.dim() == 4 else active.mean()
        margins[name] = float(value.abs().min() / value.square().mean().sqrt()) if float(share) >= MIN_ACTIVE else 0.0

    with torch.no_grad():
        out = forward(architecture, config, {k: torch.tensor(v).double() for k, v in params.items()},
                      {k: torch.tensor(v).double() for k, v in inputs.items()}, probe)[2]
    if "stddev" in out:
        # a thousandth: at a tenth of the rms the logarithm is as harmless as a relu at 1e-4
        margins["sigma"] = float(out["stddev"].abs().min() / out["stddev"].square().mean().sqrt()) * 1e-3
    if "logvar" in out and float(out["logvar"].abs().max()) > 0.5 * LOGVAR_LIMIT:
        margins["logvar"] = 0.0
    return margins


# -------------------------------------------------------------------------------------------------------- operations

# op -> (input names in order, function of the attributes and inputs); labels get no gradient
OPERATIONS = {
    "conv2d": ("x w b", lambda a, x, w, b: conv(x, w, b, a["stride"], a["pads_tblr"])),
    "conv_transpose2d": ("x w b", lambda a, x, w, b: conv_transpose(x, w, b, a["stride"], a["crop_tblr"])),
    "dense": ("x w b", lambda a, x, w, b: F.linear(x, w, b)),
    "relu": ("x", lambda a, x: F.relu(x)),
    "leaky02": ("x", lambda a, x: F.leaky_relu(x, LEAK)),
    "elu": ("x", lambda a, x: F.elu(x)),
    "tanh": ("x", lambda a, x: torch.tanh(x)),
    "sigmoid": ("x", lambda a, x: torch.sigmoid(x)),
    "mean sigmoid_cross_entropy_with_logits, labels 1":
        ("x", lambda a, x: F.binary_cross_entropy_with_logits(x, torch.ones_like(x))),
    "mean sigmoid_cross_entropy_with_logits, labels 0":
        ("x", lambda a, x: F.binary_cross_entropy_with_logits(x, torch.zeros_like(x))),
    "labels 1; must not overflow": ("x", lambda a, x: F.binary_cross_entropy_with_logits(x, torch.ones_like(x))),
    "batch mean of sum sigmoid_cross_entropy_with_logits, labels t":
        ("x t", lambda a, x, t: F.binary_cross_entropy_with_logits(x, t.detach(), reduction="none").sum(1).mean()),
    "mean over all elements (x-t)^2": ("x t", lambda a, x, t: F.mse_loss(x, t)),
    "batch mean of 0.5*sum(mu^2+s^2-log(s^2)-1)": ("mu sd", lambda a, mu, sd: kl_stddev(mu, sd)),
    "batch mean of -0.5*sum(1+logvar-mu^2-exp(logvar))": ("mu logvar", lambda a, mu, logvar: kl_logvar(mu, logvar)),
    "mu + sd*eps": ("mu sd eps", lambda a, mu, sd, eps: mu + sd * eps),
}


def operation_expected(attributes, inputs, dtype):
    """The expected tensors of one case, or None for an operation this script does not know."""
    op = attributes["op"]
    if op == "optimizer":
        p = torch.tensor(inputs["p0"], dtype=dtype, requires_grad=True)
        optimizer, result = optimizer_for([p], attributes), {}
        for step in (1, 2, 3):
            p.grad = torch.tensor(inputs["g%d" % step], dtype=dtype)
            optimizer.step()
            if attributes["clip"] is not None:
                p.data.clamp_(-attributes["clip"], attributes["clip"])
            result["p%d" % step] = p.detach().double().numpy().copy()
        return result
    if op not in OPERATIONS:
        return None
    names, function = OPERATIONS[op]
    values = {k: torch.tensor(inputs[k], dtype=dtype, requires_grad=True) for k in names.split()}
    y = function(attributes, *values.values())
    result = {"y": y}
    if "gy" in inputs:
        y.backward(torch.tensor(inputs["gy"], dtype=dtype))
        result.update({"g_" + k: v.grad for k, v in values.items() if v.grad is not None})
    return {k: v.detach().double().numpy() for k, v in result.items()}


def operation_cases():
    """(name, attributes, input name -> (shape, low, high)); the upstream gradient takes its shape from the output."""
    cases = []

    def tensor(*shape, low=-1.0, high=1.0):
        return shape, low, high

    def convolution(kernel, stride, pads, c_in, h, w, c_out, batch=2):
        same = tuple(pads) == same_pads(h, kernel, stride) + same_pads(w, kernel, stride)
        kind = "same" if same else "".join(map(str, pads))
        name = "conv_k%d_s%d_%s_%dx%dx%d_%d" % (kernel, stride, kind, c_in, h, w, c_out)
        cases.append((name, dict(op="conv2d", kernel=kernel, stride=stride, pads_tblr=list(pads)),
                      dict(x=tensor(batch, c_in, h, w), w=tensor(c_out, c_in, kernel, kernel, low=-0.4, high=0.4),
                           b=tensor(c_out, low=-0.3, high=0.3))))

    def transposed(kernel, stride, crop, c_in, h, w, c_out, batch=2):
        out = [(n - 1) * stride + kernel - crop[i] - crop[i + 1] for n, i in ((h, 0), (w, 2))]
        same = tuple(crop) == same_pads(h * stride, kernel, stride) + same_pads(w * stride, kernel, stride)
        kind = "same" if same else "".join(map(str, crop))
        name = "convT_k%d_s%d_%s_%dx%dx%d_%d" % (kernel, stride, kind, c_in, h, w, c_out)
        cases.append((name, dict(op="conv_transpose2d", kernel=kernel, stride=stride, crop_tblr=list(crop), out_hw=out),
                      dict(x=tensor(batch, c_in, h, w), w=tensor(c_in, c_out, kernel, kernel, low=-0.4, high=0.4),
                           b=tensor(c_out, low=-0.3, high=0.3))))

    convolution(5, 2, (1, 2, 1, 2), 1, 10, 14, 3)
    convolution(5, 2, (2, 2, 1, 2), 1, 7, 10, 17, batch=1)
    convolution(5, 2, (2, 2, 2, 2), 17, 5, 7, 1, batch=1)
    convolution(5, 2, (0, 3, 2, 1), 3, 9, 8, 2)
    convolution(5, 1, (2, 2, 2, 2), 3, 6, 9, 2)
    convolution(5, 1, (3, 1, 0, 2), 1, 7, 8, 3)
    convolution(3, 1, (1, 1, 1, 1), 17, 3, 4, 3, batch=1)
    convolution(3, 1, (0, 2, 1, 0), 3, 8, 5, 1)
    convolution(3, 2, (0, 1, 1, 1), 3, 6, 9, 17, batch=1)
    convolution(3, 2, (1, 1, 0, 0), 1, 7, 5, 17)
    convolution(4, 2, (1, 1, 1, 1), 3, 6, 8, 2, batch=3)
    convolution(1, 1, (0, 0, 0, 0), 17, 3, 2, 3)
    transposed(5, 2, (1, 2, 1, 2), 17, 3, 5, 1, batch=1)
    transposed(5, 2, (1, 2, 1, 2), 1, 2, 3, 17)
    transposed(5, 2, (2, 1, 0, 3), 1, 5, 4, 3)
    transposed(5, 1, (2, 2, 1, 3), 3, 6, 5, 1)
    transposed(4, 2, (1, 1, 1, 1), 3, 5, 4, 3)
    transposed(3, 1, (1, 1, 0, 2), 1, 4, 7, 17, batch=1)
    transposed(3, 2, (0, 1, 1, 0), 17, 3, 2, 1)

    cases.append(("dense", dict(op="dense"), dict(x=tensor(5, 17), w=tensor(3, 17), b=tensor(3))))
    cases.append(("dense_1", dict(op="dense"), dict(x=tensor(1, 17), w=tensor(9, 17), b=tensor(9))))
    for op in ("relu", "leaky02", "elu", "tanh", "sigmoid"):
        cases.append(("act_" + op, dict(op=op), dict(x=tensor(3, 37, low=-3.0, high=3.0))))
    logits = tensor(9, 1, low=-8.0, high=8.0)
    cases.append(("loss_bce_logits_ones", dict(op="mean sigmoid_cross_entropy_with_logits, labels 1"), dict(x=logits)))
    cases.append(("loss_bce_logits_zeros", dict(op="mean sigmoid_cross_entropy_with_logits, labels 0"), dict(x=logits)))
    cases.append(("loss_bce_logits_extreme", dict(op="labels 1; must not overflow"),
                  dict(x=tensor(7, 1, low=-150.0, high=150.0))))
    cases.append(("loss_bce_logits_targets", dict(op="batch mean of sum sigmoid_cross_entropy_with_logits, labels t"),
                  dict(x=tensor(5, 29, low=-6.0, high=6.0), t=tensor(5, 29, low=0.0))))
    cases.append(("loss_mse", dict(op="mean over all elements (x-t)^2"), dict(x=tensor(5, 29), t=tensor(5, 29))))
    cases.append(("loss_kl", dict(op="batch mean of 0.5*sum(mu^2+s^2-log(s^2)-1)"),
                  dict(mu=tensor(5, 7), sd=tensor(5, 7, low=0.2, high=1.7))))
    cases.append(("loss_kl_logvar", dict(op="batch mean of -0.5*sum(1+logvar-mu^2-exp(logvar))"),
                  dict(mu=tensor(5, 7), logvar=tensor(5, 7, low=-3.0, high=2.0))))
    cases.append(("reparam", dict(op="mu + sd*eps"),
                  dict(mu=tensor(5, 7), sd=tensor(5, 7), eps=tensor(5, 7, low=-2.0, high=2.0))))

    gradients = {"g%d" % (i + 1): tensor(35, low=-scale, high=scale) for i, scale in enumerate((1.0, 0.1, 0.01))}
    for beta1, beta2, lr in ((0.9, 0.999, 1e-3), (0.5, 0.999, 2e-4)):
        cases.append(("adam_%g_%g" % (beta1, beta2),
                      dict(op="optimizer", clip=None, algo="adam", lr=lr, beta1=beta1, beta2=beta2, eps=1e-8),
                      dict(p0=tensor(35), **gradients)))
    cases.append(("rmsprop", dict(op="optimizer", clip=None, algo="rmsprop", lr=5e-5, alpha=0.99, eps=1e-8),
                  dict(p0=tensor(35), **gradients)))
    cases.append(("rmsprop_clip", dict(op="optimizer", clip=0.01, algo="rmsprop", lr=5e-4, alpha=0.99, eps=1e-8),
                  dict(p0=tensor(35, low=-0.012, high=0.012), **gradients)))
    return cases


# --------------------------------------------------------------------------------------------------------- the files

def float32_runs(compute):
    """`compute` with float32 through both families of kernels."""
    runs = []
    for enabled in (True, False):
        with torch.backends.mkldnn.flags(enabled=enabled):
            runs.append(compute())
    return runs


def deviation(exact, runs):
    """Per tensor: the worst absolute, scaled and elementwise difference of the runs from the exact values."""
    result = {}
    for name, reference in exact.items():
        difference = np.max([np.abs(run[name] - reference) for run in runs], axis=0)
        size = np.abs(reference)
        top, worst = float(np.max(size)), float(np.max(difference))
        relative = np.divide(difference, size, out=np.zeros_like(difference), where=size > 0)
        result[name] = {"abs": float("%.2e" % worst), "scaled": float("%.2e" % (worst / top if top else 0.0)),
                        "elt": float("%.2e" % float(np.max(relative)))}
    return result


def base_metadata(model, **more):
    return {"format": "peer-golden-1", "model": model, "seed": SEED, **more, "layouts": LAYOUTS,
            "torch": torch.__version__, "note": NOTE}


def make_network(model):
    """(tensors, metadata) of one network file."""
    architecture, batch, config, lr = NETWORKS[model]
    options = {"algo": "adam", "lr": lr, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}
    net = net_name(architecture)
    salt = max(range(SALTS), key=lambda s: min(kink_margins(model, *network_data(model, s)).values()))
    params, inputs = network_data(model, salt)
    margins = kink_margins(model, params, inputs)
    if min(margins.values()) < MIN_MARGIN:
        raise RuntimeError("%s: no salt keeps the activations away from their kinks" % model)

    exact = network_expected(architecture, config, params, inputs, options, torch.float64)
    runs = float32_runs(lambda: network_expected(architecture, config, params, inputs, options, torch.float32, exact))
    tensors = {"param.%s.%s" % (net, k): v for k, v in params.items()}
    tensors.update({"input." + k: v for k, v in inputs.items()})
    tensors.update({"expected." + k: v for k, v in exact.items()})
    hyper = {"optimizers": {net: options}, "n_critic": 1, "clip": None, "frozen": {}, "bn": {}, "gp_weight": None,
             "leaky_slope": LEAK}
    return tensors, base_metadata(
        model, architecture=architecture, batch=batch, config=config, hyper=hyper, salt=salt,
        kink_margin={k: float("%.3g" % v) for k, v in margins.items()},
        kink_margin_min=float("%.3g" % min(margins.values())),
        analytic_zero_grad=[], trace_iterations=TRACE, f32_deviation=deviation(exact, runs))


def make_players(model):
    """(tensors, metadata) of one file of an adversarial model."""
    architecture, batch, config = PLAYERS[model]
    player = adversarial.ARCHITECTURES[architecture](config)
    hyper = player.hyper()

    def data(salt):
        return adversarial.data(player, batch, lambda *bounds: uniform(salt, *bounds))

    def margin(salt, run):
        return min(adversarial.kinks(player, hyper, *data(salt), run).values(), default=float("inf"))

    # The first step is quickly told; the trace takes longer, and only those have to be good at it that are good at the first.
    first = {s: margin(s, adversarial.one_step) for s in range(ADVERSARIAL_SALTS)}
    finalists = sorted(first, key=first.get, reverse=True)[:FINALISTS]
    salt = max(finalists, key=lambda s: min(first[s], margin(s, adversarial.trace)))
    params, inputs = data(salt)
    margins = adversarial.kinks(player, hyper, params, inputs, adversarial.one_step)
    for name, value in adversarial.kinks(player, hyper, params, inputs, adversarial.trace).items():
        margins[name] = min(margins[name], value)
    if min(margins.values(), default=1) <= 0:
        raise RuntimeError("%s: a channel is all but dead with every salt" % model)

    exact = adversarial.expected(player, hyper, params, inputs, torch.float64)
    runs = float32_runs(lambda: adversarial.expected(player, hyper, params, inputs, torch.float32, exact))
    tensors = {"param." + k: v for k, v in params.items()}
    tensors.update({"input." + k: v for k, v in inputs.items()})
    tensors.update({"expected." + k: v for k, v in exact.items()})
    return tensors, base_metadata(
        model, architecture=architecture, batch=batch, config=config, hyper=hyper, salt=salt,
        kink_margin={k: float("%.3g" % v) for k, v in margins.items()},
        kink_margin_min=float("%.3g" % min(margins.values(), default=1)),
        analytic_zero_grad=player.zero_gradients, trace_iterations=TRACE, f32_deviation=deviation(exact, runs))


def make_operations():
    tensors, attributes, deviations = {}, {}, {}
    for name, attrs, specs in operation_cases():
        inputs = {k: uniform(0, "%s.%s" % (name, k), *spec) for k, spec in specs.items()}
        if attrs["op"] != "optimizer":
            shape = operation_expected(attrs, inputs, torch.float64)["y"].shape
            inputs["gy"] = uniform(0, name + ".gy", shape, -1.0, 1.0)
        exact = operation_expected(attrs, inputs, torch.float64)
        runs = float32_runs(lambda: operation_expected(attrs, inputs, torch.float32))
        attributes[name] = attrs
        tensors.update({"%s.%s" % (name, k): v for k, v in inputs.items()})
        tensors.update({"%s.expected.%s" % (name, k): v for k, v in exact.items()})
        deviations.update({"%s.expected.%s" % (name, k): v for k, v in deviation(exact, runs).items()})
    return tensors, base_metadata("ops", cases=attributes, f32_deviation=deviations)


def write(model, folder):
    """The size of the file."""
    make = make_operations if model == "ops" else lambda: (make_network if model in NETWORKS else make_players)(model)
    tensors, metadata = make()
    path = os.path.join(folder, "%s-%d.safetensors" % (model, SEED))
    save(path, tensors, metadata)
    size = os.path.getsize(path)
    margin = ""
    if model != "ops":
        margin = "  kink margin %.2e (salt %d)" % (metadata["kink_margin_min"], metadata["salt"])
    print("%-26s %7d bytes %4d tensors%s" % (os.path.basename(path), size, len(tensors), margin), flush=True)
    return size


# ------------------------------------------------------------------------------------------------------------ verify

def share(value, expected, dev, relative):
    """Largest difference / allowance; the allowance is 50 float32 deviations + `relative` of the largest entry."""
    allowance = 50 * dev + relative * float(np.max(np.abs(expected)))
    difference = float(np.max(np.abs(value - expected)))
    return difference / allowance if allowance else float(difference > 0) * float("inf")


def verify_network(tensors, metadata):
    """name -> share of the allowance."""
    architecture, config, hyper, dev = (metadata[k] for k in ("architecture", "config", "hyper", "f32_deviation"))

    def under(prefix):
        return {k[len(prefix):]: v for k, v in tensors.items() if k.startswith(prefix)}

    inputs = under("input.")
    stored = {k: v.astype(np.float64) for k, v in under("expected.").items()}
    if architecture in adversarial.ARCHITECTURES:
        player = adversarial.ARCHITECTURES[architecture](config)
        found = adversarial.expected(player, hyper, under("param."), inputs, torch.float64, stored)
    else:
        net = net_name(architecture)
        found = network_expected(architecture, config, under("param.%s." % net), inputs, hyper["optimizers"][net], torch.float64, stored)
    if set(found) != set(stored):
        raise ValueError("tensors differ from the architecture's: %s" % ", ".join(sorted(set(found) ^ set(stored))))
    shares = {}
    for name, expected in stored.items():
        if name.startswith("after1.") and "running_" not in name:
            options = hyper["optimizers"][name.split(".")[1]]
            step = options["lr"] / (1 - options["alpha"]) ** 0.5 if options["algo"] == "rmsprop" else options["lr"]
            allowance = 1e-7 * np.abs(expected) + 1e-4 * step
            shares[name] = float(np.max(np.abs(found[name] - expected) / allowance))
        else:
            shares[name] = share(found[name], expected, dev[name]["abs"], 1e-4 if name.startswith("trace.") else 1e-5)
    return shares, 0


def verify_operations(tensors, metadata):
    shares, skipped = {}, 0
    for case, attributes in metadata["cases"].items():
        own = {k[len(case) + 1:]: v for k, v in tensors.items() if k.startswith(case + ".")}
        inputs = {k: v for k, v in own.items() if not k.startswith("expected.")}
        found = operation_expected(attributes, inputs, torch.float64)
        if found is None:
            skipped += 1
            continue
        for key, value in own.items():
            if key.startswith("expected."):
                name = "%s.%s" % (case, key)
                dev = metadata["f32_deviation"][name]["abs"]
                shares[name] = share(found[key[len("expected."):]], value.astype(np.float64), dev, 1e-5)
    return shares, skipped


def verify(paths):
    """True if every recomputed tensor is within its allowance."""
    good = True
    for path in paths:
        try:
            tensors, metadata = load(path)
            check = verify_operations if metadata["model"] == "ops" else verify_network
            shares, skipped = check(tensors, metadata)
        except (OSError, ValueError, KeyError, struct.error) as e:
            print("%s: cannot be verified: %s: %s" % (os.path.basename(path), type(e).__name__, e))
            good = False
            continue
        worst = max(shares, key=shares.get)
        good = good and shares[worst] <= 1
        print("%-24s %s: %d tensors, worst %.4f of the allowance (%s)%s" % (
            os.path.basename(path), "ok" if shares[worst] <= 1 else "FAILED", len(shares), shares[worst], worst,
            "; %d cases of other operations skipped" % skipped if skipped else ""))
    return good


def override(model, batch, settings):
    """Changes what a file of the model is of; a setting is key=value, the value JSON or a word."""
    table = NETWORKS if model in NETWORKS else PLAYERS
    entry = list(table[model])
    if batch is not None:
        entry[1] = batch
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or key not in entry[2]:
            raise SystemExit("make_golden: --config %s: expected key=value with one of %s" % (setting, ", ".join(entry[2])))
        try:
            entry[2][key] = json.loads(text)
        except ValueError:
            entry[2][key] = text
    table[model] = tuple(entry)


def main():
    global SEED
    models = [*NETWORKS, *PLAYERS, "ops"]
    p = argparse.ArgumentParser(description="Makes or verifies golden vectors of small networks and single operations.")
    p.add_argument("--out", metavar="DIR", default=os.path.dirname(os.path.abspath(__file__)),
                   help="where to write (default: next to the script)")
    p.add_argument("--model", choices=models, help="make the file of this model alone")
    p.add_argument("--seed", type=int, help="another one; in the name of the file (default: %d)" % SEED)
    p.add_argument("--batch", type=int, help="with --model: another batch size")
    p.add_argument("--config", nargs="+", metavar="KEY=VALUE", default=[], help="with --model: other sizes of the network")
    p.add_argument("--verify", nargs="+", metavar="FILE",
                   help="recompute the expected values of these files instead; exit 1 if any is off")
    args = p.parse_args()
    if (args.batch is not None or args.config) and args.model in (None, "ops"):
        p.error("--batch and --config go with the --model of a network")
    torch.set_num_threads(1)
    if args.verify:
        sys.exit(0 if verify(args.verify) else 1)
    if args.seed is not None:
        SEED = args.seed
    if args.model is not None and args.model != "ops":
        override(args.model, args.batch, args.config)
    print("%d bytes" % sum(write(model, args.out) for model in ([args.model] if args.model else models)))


if __name__ == "__main__":
    main()
