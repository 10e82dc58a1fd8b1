#!/usr/bin/env python3
"""PyTorch side of the training-step comparison: one step of the conv autoencoder and of the conv VAE, on the CPU.

Both networks have their full widths (28x28 images, latent 20, 16 and 32 channels, 5x5 kernels of stride 2 with
TensorFlow's SAME padding: one row before, two after).  One step is everything training needs: draw a random minibatch
from a resident uint8 dataset, scale it to [0,1], forward, loss, backward, Adam.

    cae   mean squared error of the sigmoid output
    vae   binary cross-entropy on logits summed over the pixels + KL divergence of a log-variance head, both averaged
          over the batch

Two variants of the same arithmetic:

    stock   what a PyTorch user would write: nn.Module, autograd, torch.optim.Adam
    expert  the fastest we could make torch 1.13 go; --check compares its loss and every gradient with those of `stock`

A plain run prints a table and writes JSON; --serve answers "run K" lines, so that a driver can alternate between
programs on a machine whose speed drifts.

Debian: apt-get install python3-torch python3-numpy libopenblas0-openmp.  What matters for speed is an OpenBLAS that
runs on torch's own OpenMP threads, and an allocator that keeps its pages:

    LD_LIBRARY_PATH=/usr/lib/x86_64-linux-gnu/openblas-openmp MALLOC_TOP_PAD_=268435456 \\
    MALLOC_MMAP_THRESHOLD_=4294967296 MALLOC_TRIM_THRESHOLD_=8589934592 python3 torch_peer.py

On CPUs newer than the installed OpenBLAS, OPENBLAS_CORETYPE=SkylakeX ATEN_CPU_CAPABILITY=avx512 can help.
"""
import argparse
import json
import os
import platform
import statistics
import sys
import time

try:
    import numpy  # noqa: F401  (torch loads without it, but not all of torch works)
    import torch
    import torch.nn as nn
    import torch.nn.functional as F
except ImportError as e:
    print("torch_peer: %s; install the Debian packages python3-torch python3-numpy libopenblas0-openmp" % e,
          file=sys.stderr)
    sys.exit(2)

MODELS = ("cae", "vae")
VARIANTS = ("stock", "expert")
LAYOUTS = ("nchw", "nhwc")
SIDE, LATENT, C1, C2, KERNEL = 28, 20, 16, 32, 5
HALF, QUARTER = SIDE // 2, SIDE // 4
PIXELS, FEATURES = SIDE * SIDE, QUARTER * QUARTER * C2
LEARNING_RATE, BETA1, BETA2, EPSILON = 1e-3, 0.9, 0.999, 1e-8
LOGVAR_LIMIT = 10.0


def make_dataset(count=60000):
    """Resident uint8 images of MNIST's shape and about its sparsity: smooth blobs, most pixels zero."""
    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand(count, 1, 7, 7, generator=generator)
    data = torch.empty(count, PIXELS, dtype=torch.uint8)
    for start in range(0, count, 4096):
        smooth = F.interpolate(coarse[start:start + 4096], size=(SIDE, SIDE), mode="bilinear", align_corners=False)
        data[start:start + 4096] = ((smooth - 0.65) * 4).clamp_(0, 1).mul_(255).to(torch.uint8).view(-1, PIXELS)
    return data


def gather(data, index):
    """The minibatch at `index` as float in [0,1]."""
    return torch.div(torch.index_select(data, 0, index), 255.0)


# ------------------------------------------------------------------------------------------------------------- stock

class Autoencoder(nn.Module):
    """The plain module: pad, convolve; transpose-convolve, crop."""

    def __init__(self, variational):
        super().__init__()
        self.conv1 = nn.Conv2d(1, C1, KERNEL, stride=2)
        self.conv2 = nn.Conv2d(C1, C2, KERNEL, stride=2)
        if variational:
            self.w_mean = nn.Linear(FEATURES, LATENT)
            self.w_logvar = nn.Linear(FEATURES, LATENT)
        else:
            self.latent = nn.Linear(FEATURES, LATENT)
        self.z_matrix = nn.Linear(LATENT, FEATURES)
        self.deconv1 = nn.ConvTranspose2d(C2, C1, KERNEL, stride=2)
        self.deconv2 = nn.ConvTranspose2d(C1, 1, KERNEL, stride=2)
        for name, p in self.named_parameters():
            nn.init.zeros_(p) if name.endswith("bias") else nn.init.xavier_uniform_(p)

    def encode(self, images):
        h = F.relu(self.conv1(F.pad(images, (1, 2, 1, 2))))
        return F.relu(self.conv2(F.pad(h, (1, 2, 1, 2)))).flatten(1)

    def decode(self, z):
        h = F.relu(self.z_matrix(z)).view(-1, C2, QUARTER, QUARTER)
        h = F.relu(self.deconv1(h)[:, :, 1:-2, 1:-2])
        return self.deconv2(h)[:, :, 1:-2, 1:-2].flatten(1)


class StockStep:
    """Idiomatic PyTorch."""

    def __init__(self, model, layout, data, batch):
        self.data, self.batch = data, batch
        self.variational = model == "vae"
        self.format = torch.channels_last if layout == "nhwc" else torch.contiguous_format
        self.net = Autoencoder(self.variational).to(memory_format=self.format)
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=LEARNING_RATE, betas=(BETA1, BETA2), eps=EPSILON)

    def loss(self, x, eps):
        net = self.net
        features = net.encode(x.view(-1, 1, SIDE, SIDE).contiguous(memory_format=self.format))
        if not self.variational:
            return F.mse_loss(torch.sigmoid(net.decode(net.latent(features))), x)
        mean, logvar = net.w_mean(features), net.w_logvar(features).clamp(-LOGVAR_LIMIT, LOGVAR_LIMIT)
        logits = net.decode(mean + torch.exp(0.5 * logvar) * eps)
        rec = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / x.shape[0]
        kl = -0.5 * (1 + logvar - mean.pow(2) - logvar.exp()).sum(1).mean()
        return rec + kl

    def gradients(self, x, eps):
        """(loss, name -> gradient), for --check."""
        self.optimizer.zero_grad()
        loss = self.loss(x, eps)
        loss.backward()
        return loss.detach(), {k: p.grad for k, p in self.net.named_parameters()}

    def parameters(self):
        return {k: p.detach() for k, p in self.net.named_parameters()}

    def step(self):
        x = gather(self.data, torch.randint(len(self.data), (self.batch,)))
        eps = torch.randn(self.batch, LATENT) if self.variational else None
        self.optimizer.zero_grad()
        loss = self.loss(x, eps)
        loss.backward()
        self.optimizer.step()
        return loss


# ------------------------------------------------------------------------------------------------------------ expert

class ExpertStep:
    """The same step, hand-tuned.

    * No autograd: the backward pass is written out, in place where possible, and runs in inference mode.
    * conv2, deconv1: SAME padding (1,2) = the convolution's own padding of 1 (free) + one zero row and column at the
      end.  The tensors that need that extra row live in buffers one larger, zeroed once, and are written by the
      preceding relu.
    * torch's own transposed convolution does not reach oneDNN's fast kernels.  deconv1 therefore runs as the input
      gradient of an ordinary convolution, its input gradient as that convolution, its weight gradient with the roles
      swapped.
    * conv1 and deconv2 see an image as 14x14 cells of 2x2 pixels, with four channels: their 5x5 kernels of stride 2
      become 3x3 kernels of stride 1 and padding 1, exactly.  The dataset's pixels are put into that order once, when
      it is loaded.
    * Dense layers see the features in the order in which they lie in memory (the weights are stored permuted), both
      VAE heads are one product, and the small matrices are kept transposed where the GEMM is faster that way.
    * All parameters lie in one array, so that Adam is a handful of long operations.  The 1/batch of the loss goes into
      Adam.
    """

    def __init__(self, model, layout, data, batch):
        self.batch = batch
        self.variational = model == "vae"
        self.nhwc = layout == "nhwc"
        self.data = self.to_cells(data).reshape(len(data), PIXELS)
        self.heads = 2 * LATENT if self.variational else LATENT
        self.scale = 1.0 / batch if self.variational else 2.0 / (batch * PIXELS)
        self.time = 0
        shapes = dict(conv1_w=(C1, 1, KERNEL, KERNEL), conv1_b=(C1,), conv2_w=(C2, C1, KERNEL, KERNEL), conv2_b=(C2,),
                      heads_w=(self.heads, FEATURES), heads_b=(self.heads,), z_w=(LATENT, FEATURES), z_b=(FEATURES,),
                      deconv1_w=(C2, C1, KERNEL, KERNEL), deconv1_b=(C1,),
                      deconv2_w=(C1, 1, KERNEL, KERNEL), deconv2_b=(1,))
        sizes = [torch.Size(s).numel() for s in shapes.values()]
        self.flat, self.grad, self.m, self.v = (torch.zeros(sum(sizes)) for _ in range(4))
        self.w = self.split(self.flat, shapes, sizes)
        self.g = self.split(self.grad, shapes, sizes)
        self.h1_pad, self.gd1_pad = self.buffer(HALF + 1), self.buffer(HALF + 1)
        # along one axis: which of the 5 taps (5: none) meets pixel 0 or 1 of the previous, same, next cell
        axis = torch.tensor([[5, 1, 3], [0, 2, 4]])
        row = KERNEL + 1
        self.taps_from_kernel = (axis.view(2, 1, 3, 1) * row + axis.view(1, 2, 1, 3)).view(-1)
        order = self.taps_from_kernel.tolist()
        self.kernel_from_taps = torch.tensor([order.index(y * row + x) for y in range(KERNEL) for x in range(KERNEL)])
        self.load(Autoencoder(self.variational))

    def split(self, flat, shapes, sizes):
        """Views of one array; 4-d ones lie in memory in the order of the layout."""
        views = {}
        for (name, shape), part in zip(shapes.items(), flat.split(sizes)):
            if len(shape) == 4 and self.nhwc:
                o, i, h, w = shape
                views[name] = part.view(o, h, w, i).permute(0, 3, 1, 2)
            else:
                views[name] = part.view(shape)
        return views

    def buffer(self, side):
        t = torch.zeros(self.batch, C1, side, side)
        return t.contiguous(memory_format=torch.channels_last) if self.nhwc else t

    def to_cells(self, flat):
        """[N, 784] images -> their pixels in the memory order of `cells`."""
        return flat.view(-1, HALF, 2, HALF, 2).permute((0, 1, 3, 2, 4) if self.nhwc else (0, 2, 4, 1, 3))

    def cells(self, flat):
        """[N, 784] pixels in cell order -> [N,4,14,14], no copy."""
        if self.nhwc:
            return flat.view(-1, HALF, HALF, 4).permute(0, 3, 1, 2)
        return flat.view(-1, 4, HALF, HALF)

    def cell_kernel(self, w):
        """[C,1,5,5], stride 2, on pixels -> [C,4,3,3], stride 1, on cells."""
        taps = F.pad(w.reshape(C1, KERNEL, KERNEL), (0, 1, 0, 1)).view(C1, -1)
        return taps.index_select(1, self.taps_from_kernel).view(C1, 4, 3, 3)

    def pixel_kernel(self, g):
        """The gradient of `cell_kernel`."""
        return g.reshape(C1, -1).index_select(1, self.kernel_from_taps).view(C1, 1, KERNEL, KERNEL)

    def images(self, rows):
        """[N, FEATURES] in memory order -> [N,C2,h,w], no copy."""
        if self.nhwc:
            return rows.view(-1, QUARTER, QUARTER, C2).permute(0, 3, 1, 2)
        return rows.view(-1, C2, QUARTER, QUARTER)

    def rows(self, images):
        """The inverse of `images`, no copy."""
        return (images.permute(0, 2, 3, 1) if self.nhwc else images).reshape(-1, FEATURES)

    def named(self, views):
        """Parameters or gradients under the names and in the shapes of the stock module."""
        out = {"%s.%s" % (k, leaf): views["%s_%s" % (k, leaf[0])].contiguous()
               for k in ("conv1", "conv2", "deconv1", "deconv2") for leaf in ("weight", "bias")}
        for i, name in enumerate(("w_mean", "w_logvar") if self.variational else ("latent",)):
            part = slice(i * LATENT, (i + 1) * LATENT)
            out[name + ".weight"] = self.images(views["heads_w"][part]).flatten(1)
            out[name + ".bias"] = views["heads_b"][part]
        out["z_matrix.weight"] = self.images(views["z_w"]).flatten(1).t()
        out["z_matrix.bias"] = self.images(views["z_b"]).flatten()
        return out

    @torch.no_grad()
    def load(self, net):
        """Takes the parameters of a stock module."""
        given = dict(net.named_parameters())

        def chw(t):
            return self.rows(t.reshape(-1, C2, QUARTER, QUARTER))

        for k in ("conv1", "conv2", "deconv1", "deconv2"):
            self.w[k + "_w"].copy_(given[k + ".weight"])
            self.w[k + "_b"].copy_(given[k + ".bias"])
        for i, name in enumerate(("w_mean", "w_logvar") if self.variational else ("latent",)):
            part = slice(i * LATENT, (i + 1) * LATENT)
            self.w["heads_w"][part].copy_(chw(given[name + ".weight"]))
            self.w["heads_b"][part].copy_(given[name + ".bias"])
        self.w["z_w"].copy_(chw(given["z_matrix.weight"].t()))
        self.w["z_b"].copy_(chw(given["z_matrix.bias"]).view(-1))

    def add_bias(self, t, bias):
        """A bias per channel; long rows instead of a broadcast over 16 values when the channels come last."""
        if not self.nhwc:
            return torch.add(t, bias.view(1, -1, 1, 1))
        t = t.permute(0, 2, 3, 1)
        return torch.add(t.flatten(2), bias.repeat(t.shape[2])).view(t.shape).permute(0, 3, 1, 2)

    @staticmethod
    def conv_backward(gy, x, w, stride, data, weight, bias=False):
        """oneDNN's gradients of a convolution with padding 1."""
        return torch.ops.aten.convolution_backward(gy, x, w, [w.shape[0]] if bias else None, [stride, stride], [1, 1],
                                                   [1, 1], False, [0, 0], 1, [data, weight, bias])

    @staticmethod
    def mask(gy, y, out):
        """relu's gradient; in place when out is gy."""
        return torch.ops.aten.threshold_backward.grad_input(gy, y, 0, grad_input=out)

    def backprop(self, x, eps):
        """Pixels in cell order.  Fills self.grad with the gradients of loss / self.scale; returns the loss."""
        w, g, n = self.w, self.g, len(x)
        inner = (slice(None), slice(None), slice(HALF), slice(HALF))

        # encoder
        cells = self.cells(x)
        w1, w4 = self.cell_kernel(w["conv1_w"]), self.cell_kernel(w["deconv2_w"])
        h1 = self.h1_pad[inner]
        torch.clamp_min(F.conv2d(cells, w1, w["conv1_b"], 1, 1), 0, out=h1)
        h2 = F.conv2d(self.h1_pad, w["conv2_w"], w["conv2_b"], 2, 1).clamp_min_(0)
        features = self.rows(h2)
        heads = torch.addmm(w["heads_b"].unsqueeze(1), w["heads_w"], features.t())  # [heads, batch]
        if self.variational:
            mean, raw = heads[:LATENT], heads[LATENT:]
            logvar = raw.clamp(-LOGVAR_LIMIT, LOGVAR_LIMIT)
            sigma = torch.exp(0.5 * logvar)
            noise = eps.t() * sigma
            z = (mean + noise).t()
        else:
            z = heads.t()

        # decoder
        dz = torch.addmm(w["z_b"], z, w["z_w"]).clamp_min_(0)
        d0 = self.images(dz)
        d1 = self.conv_backward(d0, self.gd1_pad, w["deconv1_w"], 2, True, False)[0][inner]
        d1 = self.add_bias(d1, w["deconv1_b"]).clamp_min_(0)
        logits = self.conv_backward(d1, cells, w4, 1, True, False)[0]
        logits = (logits.permute(0, 2, 3, 1) if self.nhwc else logits).reshape(n, PIXELS).add_(w["deconv2_b"])

        # loss, and its gradient with respect to the logits
        y = torch.sigmoid(logits)
        if self.variational:
            loss = F.softplus(logits).sum().sub_(torch.dot(logits.view(-1), x.view(-1)))
            variance = sigma * sigma
            loss.sub_((logvar - mean * mean - variance).sum().add_(mean.numel()).mul_(0.5)).mul_(self.scale)
            d = y.sub_(x)
        else:
            d = y - x
            loss = torch.dot(d.view(-1), d.view(-1)).mul_(0.5 * self.scale)
            d = torch.ops.aten.sigmoid_backward(d, y)
        gl = self.cells(d)

        # decoder backward
        g["deconv2_b"].copy_(d.sum())
        g["deconv2_w"].copy_(self.pixel_kernel(self.conv_backward(d1, gl, w4, 1, False, True)[1]))
        self.mask(F.conv2d(gl, w4, None, 1, 1), d1, self.gd1_pad[inner])
        torch.sum(self.gd1_pad, (0, 2, 3), out=g["deconv1_b"])
        g["deconv1_w"].copy_(self.conv_backward(d0, self.gd1_pad, w["deconv1_w"], 2, False, True)[1])
        g0 = self.rows(F.conv2d(self.gd1_pad, w["deconv1_w"], None, 2, 1))
        self.mask(g0, dz, g0)
        torch.sum(g0, 0, out=g["z_b"])
        torch.mm(z.t(), g0, out=g["z_w"])
        gz = torch.mm(w["z_w"], g0.t())  # [latent, batch]

        # encoder backward
        if self.variational:
            gs = torch.sub(variance, 1).add_(gz * noise).mul_(0.5)
            gs.mul_(raw.eq(logvar))
            gz = torch.cat((gz.add_(mean), gs))
        torch.sum(gz, 1, out=g["heads_b"])
        torch.mm(gz, features, out=g["heads_w"])
        g2 = torch.mm(gz.t(), w["heads_w"])
        self.mask(g2, features, g2)
        g1, gw, gb = self.conv_backward(self.images(g2), self.h1_pad, w["conv2_w"], 2, True, True, True)
        g["conv2_w"].copy_(gw)
        g["conv2_b"].copy_(gb)
        g1 = torch.ops.aten.threshold_backward(g1[inner], h1, 0)
        _, gw, gb = self.conv_backward(g1, cells, w1, 1, False, True, True)
        g["conv1_w"].copy_(self.pixel_kernel(gw))
        g["conv1_b"].copy_(gb)
        return loss

    def adam(self):
        self.time += 1
        root = (1 - BETA2 ** self.time) ** 0.5
        self.m.mul_(BETA1).add_(self.grad, alpha=(1 - BETA1) * self.scale)
        self.v.mul_(BETA2).addcmul_(self.grad, self.grad, value=(1 - BETA2) * self.scale ** 2)
        rate = LEARNING_RATE * root / (1 - BETA1 ** self.time)
        self.flat.addcdiv_(self.m, self.v.sqrt().add_(EPSILON * root), value=-rate)

    @torch.inference_mode()
    def gradients(self, x, eps):
        loss = self.backprop(self.to_cells(x).reshape(-1, PIXELS), eps)
        return loss, {k: t * self.scale for k, t in self.named(self.g).items()}

    def parameters(self):
        return self.named(self.w)

    @torch.inference_mode()
    def step(self):
        x = gather(self.data, torch.randint(len(self.data), (self.batch,)))
        loss = self.backprop(x, torch.randn(self.batch, LATENT) if self.variational else None)
        self.adam()
        return loss


# -------------------------------------------------------------------------------------------------- check and timing

STEPS = {"stock": StockStep, "expert": ExpertStep}


def check(models, layouts, data, batch):
    """Expert against stock: loss, every gradient and the parameters after each of four Adam steps.

    In float64, where they must agree to round-off, and in float32, which takes oneDNN's paths.  There a relu whose
    input is next to zero may switch, and a gradient of round-off size may move its parameter a whole step either way:
    hence the wider limit, and the average for the steps.
    """
    good = True
    for dtype, limit, step_limit in ((torch.float64, 1e-9, 1e-6), (torch.float32, 1e-2, 0.02)):
        torch.set_default_dtype(dtype)
        for model in models:
            for layout in layouts:
                torch.manual_seed(3)
                stock = StockStep(model, "nchw", data, batch)
                expert = ExpertStep(model, layout, data, batch)
                worst = []
                for turn in range(4):
                    torch.manual_seed(10 + turn)
                    x, eps = gather(data, torch.randint(len(data), (batch,))), torch.randn(batch, LATENT)
                    expert.load(stock.net)
                    (la, ga), (lb, gb) = stock.gradients(x, eps), expert.gradients(x, eps)
                    pairs = {"loss": (la, lb), **{"grad " + k: (ga[k], gb[k]) for k in ga}}
                    worst += [(float((a - b).abs().max() / a.abs().max()) / limit, k) for k, (a, b) in pairs.items()]
                    stock.optimizer.step()
                    with torch.inference_mode():
                        expert.adam()
                    stepped = expert.parameters()
                    worst += [(float((a - stepped[k]).abs().mean()) / (step_limit * LEARNING_RATE), "step " + k)
                              for k, a in stock.parameters().items()]
                share, name = max(worst)
                good = good and share <= 1
                print("%-4s %-4s %-13s %s: worst %.4f of the allowance (%s)" % (
                    model, layout, dtype, "ok" if share <= 1 else "FAILED", share, name))
    return good


def environment(args):
    try:
        with open("/proc/self/maps") as f:
            blas = sorted({line.split()[-1] for line in f if "blas" in line and "r-xp" in line})
    except OSError:
        blas = []
    try:
        with open("/proc/cpuinfo") as f:
            cpu = next((line.split(":", 1)[1].strip() for line in f if line.startswith("model name")), "")
    except OSError:
        cpu = platform.processor()
    return dict(torch=torch.__version__, python=platform.python_version(), threads=torch.get_num_threads(), blas=blas,
                cpu=cpu, mkldnn=torch.backends.mkldnn.is_available(), batch=args.batch,
                variables={k: os.environ[k] for k in ("OPENBLAS_CORETYPE", "ATEN_CPU_CAPABILITY", "MALLOC_TOP_PAD_",
                                                      "OMP_NUM_THREADS", "OMP_WAIT_POLICY") if k in os.environ})


def build(model, variant, layout, data, args):
    torch.manual_seed(1)
    torch.set_flush_denormal(variant == "expert")
    job = STEPS[variant](model, layout, data, args.batch)
    for _ in range(args.warmup):
        job.step()
    return job


def timed(job, count):
    times = []
    for _ in range(count):
        start = time.perf_counter()
        job.step()
        times.append((time.perf_counter() - start) * 1e3)
    return times


def serve(args, data):
    """Line protocol: `ready {env}`, then `run K` -> `times t1 .. tK` (ms), `quit`."""
    model, variant, layout = args.models[0], args.variant[0], args.layout[0]
    job = build(model, variant, layout, data, args)
    print("ready " + json.dumps(dict(environment(args), model=model, variant=variant, layout=layout)), flush=True)
    for line in sys.stdin:
        words = line.split()
        if words == ["quit"]:
            break
        if len(words) == 2 and words[0] == "run" and words[1].isdigit():
            print("times " + " ".join("%.4f" % t for t in timed(job, int(words[1]))), flush=True)
        else:
            print("error expected 'run K' or 'quit'", flush=True)


def measure(args, data):
    env, rows = environment(args), []
    print("torch %s, %d threads, batch %d, %s" % (
        env["torch"], env["threads"], args.batch, ", ".join(env["blas"]) or "no BLAS found"))
    print("%-5s %-7s %-6s %10s %8s %8s %7s" % ("model", "variant", "layout", "ms/step", "min", "max", "loss"))
    for model in args.models:
        for variant in args.variant:
            for layout in args.layout:
                job = build(model, variant, layout, data, args)
                times = timed(job, args.steps)
                row = dict(model=model, variant=variant, layout=layout, batch=args.batch,
                           ms_per_step=statistics.median(times), ms_min=min(times), ms_max=max(times), timed=len(times))
                rows.append(row)
                print("%-5s %-7s %-6s %10.3f %8.3f %8.3f %7.3f" % (
                    model, variant, layout, row["ms_per_step"], row["ms_min"], row["ms_max"], float(job.step())),
                    flush=True)
    if args.json:
        with open(args.json, "w") as f:
            json.dump(dict(env=env, rows=rows), f, indent=1)
            f.write("\n")


def choices(allowed):
    """argparse type: a comma-separated subset of `allowed`."""
    def parse(text):
        parts = text.split(",")
        for p in parts:
            if p not in allowed:
                raise argparse.ArgumentTypeError("'%s' is not one of %s" % (p, ", ".join(allowed)))
        return parts
    return parse


def main():
    p = argparse.ArgumentParser(
        description="PyTorch training step of the conv autoencoder (cae) and conv VAE (vae) on the CPU.",
        epilog="Lists are comma-separated. --serve takes one model, one variant and one layout.")
    p.add_argument("--models", type=choices(MODELS), default=list(MODELS), metavar="LIST",
                   help="cae,vae (default: both)")
    p.add_argument("--variant", type=choices(VARIANTS), metavar="LIST",
                   help="stock,expert (default: both; with --serve: expert)")
    p.add_argument("--layout", type=choices(LAYOUTS), metavar="LIST",
                   help="nchw,nhwc (default: both; with --serve: nhwc)")
    p.add_argument("--batch", type=int, default=128, help="minibatch size (default 128)")
    p.add_argument("--threads", type=int, default=2, help="threads of torch (default 2)")
    p.add_argument("--steps", type=int, default=100, help="timed steps (default 100)")
    p.add_argument("--warmup", type=int, default=20, help="untimed steps before (default 20)")
    p.add_argument("--json", metavar="FILE", help="write the results here")
    p.add_argument("--check", action="store_true",
                   help="compare expert with stock instead of timing; exit 1 if they differ")
    p.add_argument("--serve", action="store_true",
                   help="line protocol: prints 'ready {json}', answers 'run K' with 'times ...' (ms); 'quit' ends")
    args = p.parse_args()
    for name in ("batch", "threads", "steps"):
        if getattr(args, name) < 1:
            p.error("--%s must be at least 1" % name)
    if args.serve and (len(args.models) != 1 or any(v and len(v) != 1 for v in (args.variant, args.layout))):
        p.error("--serve needs exactly one model, variant and layout")
    args.variant = args.variant or (["expert"] if args.serve else list(VARIANTS))
    args.layout = args.layout or (["nhwc"] if args.serve else list(LAYOUTS))

    torch.set_num_threads(args.threads)
    data = make_dataset()
    if args.check:
        sys.exit(0 if check(args.models, args.layout, data, args.batch) else 1)
    serve(args, data) if args.serve else measure(args, data)


if __name__ == "__main__":
    main()
