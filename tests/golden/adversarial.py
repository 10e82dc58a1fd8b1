"""The adversarial models in PyTorch: networks, losses, schedules, and all that a golden file expects of them.

A model says which parameters (`shapes`) and inputs it has and within which bounds they are drawn, what its networks
compute, and its two losses; `expected` computes everything from these.
"""
import numpy as np
import torch
import torch.nn.functional as F

from layers import LEAK, Network, resize

TRACE = 3


def adam(lr, beta1=0.9, beta2=0.999):
    return {"algo": "adam", "lr": lr, "beta1": beta1, "beta2": beta2, "eps": 1e-8}


def optimizer_for(tensors, options):
    if options["algo"] == "adam":
        betas = (options["beta1"], options["beta2"])
        return torch.optim.Adam(tensors, lr=options["lr"], betas=betas, eps=options["eps"])
    return torch.optim.RMSprop(tensors, lr=options["lr"], alpha=options["alpha"], eps=options["eps"])


# ------------------------------------------------------------------------------------------------- bounds of parameters

def weight(shape, fan_in):
    limit = 1.8 / fan_in ** 0.5
    return shape, -limit, limit


def bias(count):
    return (count,), -0.3, 0.3


def dense(name, inputs, outputs):
    return {name + ".weight": weight((outputs, inputs), inputs), name + ".bias": bias(outputs)}


def conv(name, inputs, outputs, kernel):
    return {name + ".weight": weight((outputs, inputs, kernel, kernel), inputs * kernel ** 2), name + ".bias": bias(outputs)}


def up(name, inputs, outputs, kernel, stride=2, biased=True):
    shapes = {name + ".weight": weight((inputs, outputs, kernel, kernel), inputs * (kernel // stride) ** 2)}
    return {**shapes, name + ".bias": bias(outputs)} if biased else shapes


def norm(name, channels, scale=(0.5, 1.5)):
    return {name + ".gamma": ((channels,), *scale), name + ".beta": ((channels,), -0.5, 0.5),
            name + ".running_mean": ((channels,), -0.5, 0.5), name + ".running_var": ((channels,), 0.5, 1.5)}


# --------------------------------------------------------------------------------------------------------------- losses

def called_real(logits):
    return F.binary_cross_entropy_with_logits(logits, torch.ones_like(logits))


def called_fake(logits):
    return F.binary_cross_entropy_with_logits(logits, torch.zeros_like(logits))


class Gan:
    """Fully connected; the base of all others, which exchange what differs."""

    noise = 1.0               # codes are uniform within +-noise
    pixels = (-1.0, 1.0)
    n_critic = 1
    clip = None
    norms = {}                # batch norms of g: eps and momentum
    zero_gradients = []       # zero in real arithmetic
    frozen = []               # parameters of g that no optimizer touches

    def __init__(self, config):
        self.config = config

    def optimizers(self):
        return {"d": adam(1e-3, 0.5), "g": adam(1e-3, 0.5)}

    def hyper(self):
        return {"optimizers": self.optimizers(), "n_critic": self.n_critic, "clip": self.clip,
                "frozen": {"g": self.frozen} if self.frozen else {}, "bn": {"g": self.norms} if self.norms else {},
                "gp_weight": self.config.get("gp_weight"), "leaky_slope": LEAK}

    def shapes(self):
        """Net -> parameter -> (shape, low, high)."""
        c = self.config
        classes, pixels = c.get("classes", 0), c["img"] ** 2
        return {"d": {**dense("fc1", pixels + classes, c["d_h1"]), **dense("fc2", c["d_h1"], c["d_h2"]), **dense("logits", c["d_h2"], 1)},
                "g": {**dense("fc1", c["latent"] + classes, c["g_h1"]), **dense("fc2", c["g_h1"], c["g_h2"]),
                      **dense("img", c["g_h2"], pixels)}}

    def image(self, batch):
        return batch, self.config["img"] ** 2

    def inputs(self, batch):
        return {"x": (self.image(batch), *self.pixels), "z": ((batch, self.config["latent"]), -self.noise, self.noise)}

    def finish(self, inputs):
        """Makes masks and labels of what was drawn for them."""
        return inputs

    def discriminate(self, d, x):
        return d.dense("logits", d.leaky("fc2", d.dense("fc2", d.leaky("fc1", d.dense("fc1", x)))))

    def generate(self, g, z, training=True):
        return torch.tanh(g.dense("img", g.relu("fc2", g.dense("fc2", g.relu("fc1", g.dense("fc1", z))))))

    def fake(self, g, inputs, training=True):
        return self.generate(g, inputs["z"], training)

    # What is generated for the generator's own loss.
    def candidate(self, g, inputs):
        return self.fake(g, inputs)

    def judge(self, d, images, inputs, which):
        return self.discriminate(d, images)

    def d_loss(self, d, inputs, fake):
        """(loss, its parts, outputs)."""
        scores = self.judge(d, inputs["x"], inputs, "real"), self.judge(d, fake, inputs, "fake")
        real, wrong = called_real(scores[0]), called_fake(scores[1])
        return real + wrong, {"d_real": real, "d_fake": wrong}, {"d_real": scores[0], "d_fake": scores[1]}

    def g_loss(self, d, inputs, fake):
        return called_real(self.judge(d, fake, inputs, "gan"))

    def partial_gradients(self, parts):
        """Name -> a part of the loss of d whose gradient the file has on its own."""
        return {}

    def d_steps(self, play):
        """What one iteration does to the discriminator: pairs of a trace's name and a function that gives its loss and more of the trace."""
        def step():
            loss, parts, _ = self.d_loss(play.d, play.inputs, self.fake(play.g, play.inputs).detach())
            return loss, self.traced(play.inputs, parts)
        return [("d_loss", step)] * self.n_critic

    def traced(self, inputs, parts):
        return {}

    def after_iteration(self, play, parts):
        return {}


class ConditionalGan(Gan):
    def inputs(self, batch):
        return {**super().inputs(batch), "y": ((batch,), 0.0, self.config["classes"])}

    def finish(self, inputs):
        return {**inputs, "y": np.eye(self.config["classes"], dtype=np.float32)[inputs["y"].astype(int)]}

    def fake(self, g, inputs, training=True):
        return self.generate(g, torch.cat([inputs["z"], inputs["y"]], 1), training)

    def judge(self, d, images, inputs, which):
        return self.discriminate(d, torch.cat([images, inputs["y"]], 1))


class Dcgan(Gan):
    norms = {name: {"eps": 1e-3, "momentum": 0.01} for name in ("bn1", "bn2", "bn3")}

    def shapes(self):
        c = self.config
        seen, start = ((c["img"] - 4) // 2 - 4) // 2, c["img"] // 4
        features = start ** 2 * c["g_c1"]
        return {"d": {**conv("conv1", 1, c["d_c1"], 5), **conv("conv2", c["d_c1"], c["d_c2"], 5),
                      **dense("fc1", seen ** 2 * c["d_c2"], c["d_fc"]), **dense("logits", c["d_fc"], 1)},
                "g": {**dense("fc1", c["latent"], c["g_fc"]), **norm("bn1", c["g_fc"]), **dense("fc2", c["g_fc"], features),
                      **norm("bn2", features), **up("deconv1", c["g_c1"], c["g_c2"], 4), **norm("bn3", c["g_c2"]),
                      **up("deconv2", c["g_c2"], 1, 4)}}

    def discriminate(self, d, x):
        x = x.view(-1, 1, self.config["img"], self.config["img"])
        x = d.max_pool("pool1", d.leaky("conv1", d.valid("conv1", x)))
        x = d.max_pool("pool2", d.leaky("conv2", d.valid("conv2", x)))
        return d.dense("logits", d.leaky("fc1", d.dense("fc1", x.flatten(1))))

    def generate(self, g, z, training=True):
        start = self.config["img"] // 4
        x = g.norm("bn1", g.relu("fc1", g.dense("fc1", z)), training)
        x = g.norm("bn2", g.relu("fc2", g.dense("fc2", x)), training).view(-1, self.config["g_c1"], start, start)
        x = g.norm("bn3", g.relu("deconv1", g.up("deconv1", x)), training)
        return torch.tanh(g.up("deconv2", x)).flatten(1)


class Wasserstein:
    """Scores instead of probabilities."""

    def d_loss(self, d, inputs, fake):
        scores = self.judge(d, inputs["x"], inputs, "real"), self.judge(d, fake, inputs, "fake")
        return scores[1].mean() - scores[0].mean(), {}, {"d_real": scores[0], "d_fake": scores[1]}

    def g_loss(self, d, inputs, fake):
        return -self.judge(d, fake, inputs, "gan").mean()


class Wgan(Wasserstein, Dcgan):
    n_critic = 5
    zero_gradients = ["grad.d.logits.bias"]

    @property
    def clip(self):
        return self.config["clip"]

    def optimizers(self):
        options = {"algo": "rmsprop", "lr": self.config["lr"], "alpha": 0.99, "eps": 1e-8}
        return {"d": options, "g": options}

    def shapes(self):
        """Some of the critic's parameters start outside of the clip, so that it shows in the first step."""
        shapes = super().shapes()
        shapes["d"] = {k: (shape, -1.2 * self.clip, 1.2 * self.clip) for k, (shape, _, _) in shapes["d"].items()}
        return shapes


class WganGp(Wasserstein, Gan):
    """Any number of halvings of the image down to 4x4, one for each of `d_ch`."""

    noise = 1.75
    n_critic = 3

    @property
    def levels(self):
        return len(self.config["d_ch"])

    @property
    def norms(self):
        return {"bn%d" % (i + 1): {"eps": 1e-3, "momentum": 0.1} for i in range(self.levels)}

    @property
    def zero_gradients(self):
        return ["grad.d.conv%d.bias" % (self.levels + 1)]

    def optimizers(self):
        return {"d": adam(2e-4, 0.5, 0.9), "g": adam(2e-4, 0.5, 0.9)}

    def shapes(self):
        c = self.config
        down, widths = [c["colors"], *c["d_ch"]], [c["latent"], *c["g_ch"]]
        d, g = {}, up("deconv1", widths[0], widths[1], 4, 4, False)
        for i in range(self.levels):
            d.update(conv("conv%d" % (i + 1), down[i], down[i + 1], 4))
            if i > 0:
                g.update(up("deconv%d" % (i + 1), widths[i], widths[i + 1], 4, biased=False))
            g.update(norm("bn%d" % (i + 1), widths[i + 1]))
        last = self.levels + 1
        return {"d": {**d, **conv("conv%d" % last, down[-1], 1, 4)}, "g": {**g, **up("deconv%d" % last, widths[-1], c["colors"], 4)}}

    def image(self, batch):
        return batch, self.config["colors"], self.config["img"], self.config["img"]

    def inputs(self, batch):
        return {**super().inputs(batch), "alpha": ((batch,), 0.0, 1.0)}

    def discriminate(self, d, x):
        for i in range(self.levels):
            name = "conv%d" % (i + 1)
            x = d.leaky(name, d.valid(name, x, 2, 1), self.config["slopes"][i])
        return d.valid("conv%d" % (self.levels + 1), x).flatten(1)

    def generate(self, g, z, training=True):
        x = F.conv_transpose2d(z.view(*z.shape, 1, 1), g.tensors["deconv1.weight"])
        for i in range(1, self.levels + 1):
            x = g.leaky("bn%d" % i, g.norm("bn%d" % i, x, training))
            x = g.up("deconv%d" % (i + 1), x)
        return torch.tanh(x)

    def d_loss(self, d, inputs, fake):
        distance, _, out = super().d_loss(d, inputs, fake)
        between = inputs["x"] + inputs["alpha"].view(-1, 1, 1, 1) * (fake - inputs["x"])
        between.requires_grad_(True)
        slope, = torch.autograd.grad(self.discriminate(d, between).sum(), between, create_graph=True)
        length = slope.square().sum((1, 2, 3)).sqrt()
        penalty = (length - 1).square().mean()
        loss = distance + self.config["gp_weight"] * penalty
        return loss, {"d_wass": distance, "gp": penalty}, {**out, "gp_grad": slope, "gp_norm": length}

    def partial_gradients(self, parts):
        return {"grad_w.d": parts["d_wass"], "grad_gp.d": parts["gp"]}

    def traced(self, inputs, parts):
        return {"gp": parts["gp"]}


class Began(Gan):
    scales = 3

    def optimizers(self):
        return {"d": adam(1e-4, 0.5), "g": adam(1e-4, 0.5)}

    def decoder_shapes(self, prefix):
        c = self.config
        n, start = c["n"], c["img"] // 4
        shapes = dense(prefix + "fc", c["latent"], n * start ** 2)
        for i in range(1, self.scales + 1):
            shapes.update({**conv("%sc%da" % (prefix, i), n, n, 3), **conv("%sc%db" % (prefix, i), n, n, 3)})
        return {**shapes, **conv(prefix + "out", n, c["colors"], 3)}

    def shapes(self):
        c = self.config
        encoder, before = conv("e0", c["colors"], c["n"], 3), c["n"]
        for i in range(1, self.scales + 1):
            width = i * c["n"]
            encoder.update({**conv("e%da" % i, before, width, 3), **conv("e%db" % i, width, width, 3)})
            if i < self.scales:
                encoder.update(conv("e%dd" % i, width, width, 3))
            before = width
        encoder.update(dense("efc", before * (c["img"] // 4) ** 2, c["latent"]))
        return {"d": {**encoder, **self.decoder_shapes("dec.")}, "g": self.decoder_shapes("")}

    def image(self, batch):
        return batch, self.config["colors"], self.config["img"], self.config["img"]

    def inputs(self, batch):
        return {**super().inputs(batch), "k": ((), 0.2, 0.6)}

    def decode(self, net, prefix, code):
        start = self.config["img"] // 4
        x = net.dense(prefix + "fc", code).view(-1, self.config["n"], start, start)
        for i in range(1, self.scales + 1):
            x = F.elu(net.conv("%sc%da" % (prefix, i), x))
            x = F.elu(net.conv("%sc%db" % (prefix, i), x))
            if i < self.scales:
                x = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
        return net.conv(prefix + "out", x)

    def discriminate(self, d, x):
        x = F.elu(d.conv("e0", x))
        for i in range(1, self.scales + 1):
            x = F.elu(d.conv("e%da" % i, x))
            x = F.elu(d.conv("e%db" % i, x))
            if i < self.scales:
                x = F.elu(d.conv("e%dd" % i, x, 2))
        return self.decode(d, "dec.", d.dense("efc", x.flatten(1)))

    def generate(self, g, z, training=True):
        return self.decode(g, "", z)

    def d_loss(self, d, inputs, fake):
        real, generated = self.discriminate(d, inputs["x"]), self.discriminate(d, fake)
        parts = {"l_real": d.l1("l1x", inputs["x"], real), "l_fake": d.l1("l1f", fake, generated)}
        k, m = self.balance(inputs["k"], parts)
        out = {"d_real": real, "d_fake": generated, "k_next": k, "m_global": m}
        return parts["l_real"] - inputs["k"] * parts["l_fake"], parts, out

    def g_loss(self, d, inputs, fake):
        return d.l1("l1g", fake, self.discriminate(d, fake))

    def balance(self, k, parts):
        ahead = self.config["gamma"] * parts["l_real"] - parts["l_fake"]
        return (k + self.config["lambda_k"] * ahead).clamp(0, 1), parts["l_real"] + ahead.abs()

    def traced(self, inputs, parts):
        self.last = {k: v.detach() for k, v in parts.items()}
        return {}

    def after_iteration(self, play, parts):
        k, m = self.balance(play.inputs["k"], self.last)
        play.inputs["k"] = k
        return {"k": k, "m_global": m}


class Cs231n(Gan):
    noise = 1.75
    pixels = (0.0, 1.0)
    norms = {name: {"eps": 1e-5, "momentum": 0.001} for name in ("bn1", "bn2", "bn3")}
    zero_gradients = ["grad.g.conv2.bias", "grad.g.conv3.bias"]

    @property
    def frozen(self):
        return ["%s.%s" % (n, leaf) for n in self.norms for leaf in ("gamma", "beta")] if self.config["bn"] == "seed" else []

    def optimizers(self):
        return {"d": adam(3e-4), "g": adam(1e-4)}

    def shapes(self):
        c = self.config
        widths = c["latent"] // 2, c["latent"] // 4
        scale = (1.0, 1.0) if c["bn"] == "seed" else (0.5, 1.5)
        return {"d": {**conv("conv1", 1, c["d_c1"], 5), **conv("conv2", c["d_c1"], c["d_c2"], 5),
                      **dense("fc1", (c["img"] // 4) ** 2 * c["d_c2"], c["d_fc"]), **dense("fc2", c["d_fc"], 1)},
                "g": {**dense("fc1", c["latent"], 4 * c["img"] ** 2), **norm("bn1", 1, scale), **conv("conv2", 1, widths[0], 3),
                      **norm("bn2", widths[0], scale), **conv("conv3", *widths, 3), **norm("bn3", widths[1], scale),
                      **conv("conv4", widths[1], 1, 1)}}

    def image(self, batch):
        return batch, 1, self.config["img"], self.config["img"]

    def discriminate(self, d, x):
        x = F.avg_pool2d(d.relu("conv1", d.conv("conv1", x)), 2)
        x = F.avg_pool2d(d.relu("conv2", d.conv("conv2", x)), 2)
        return d.dense("fc2", d.relu("fc1", d.dense("fc1", x.flatten(1))))

    def generate(self, g, z, training=True):
        size = 2 * self.config["img"]
        x = g.relu("bn1", g.norm("bn1", g.dense("fc1", z).view(-1, 1, size, size), training))
        x = resize(g.relu("bn2", g.norm("bn2", g.conv("conv2", x, 2), training)), size)
        x = resize(g.relu("bn3", g.norm("bn3", g.conv("conv3", x, 2), training)), size)
        return torch.sigmoid(g.conv("conv4", x, 2))


class Cifar(Gan):
    """`batch` counts the images of one half; the generator is updated on twice as many."""

    noise = 1.75

    def optimizers(self):
        return {"d": adam(2e-4, 0.5), "g": adam(2e-4, 0.5)}

    @property
    def features(self):
        return self.config["base"] ** 2 * self.config["d_ch"][3]

    def shapes(self):
        c = self.config
        down, widths = [c["colors"], *c["d_ch"]], c["g_ch"]
        d, g = {}, dense("fc", c["latent"], widths[0] * c["base"] ** 2)
        for i in range(4):
            d.update(conv("conv%d" % (i + 1), down[i], down[i + 1], 3))
        for i in range(3):
            g.update(up("deconv%d" % (i + 1), widths[i], widths[i + 1], 4))
        return {"d": {**d, **dense("fc", self.features, 1)}, "g": {**g, **conv("conv4", widths[3], c["colors"], 3)}}

    def image(self, batch):
        return batch, self.config["colors"], 8 * self.config["base"], 8 * self.config["base"]

    def inputs(self, batch):
        masks = {"mask_" + k: ((n, self.features), 0.0, 1.0) for k, n in (("real", batch), ("fake", batch), ("gan", 2 * batch))}
        return {**super().inputs(batch), "z_gan": ((2 * batch, self.config["latent"]), -self.noise, self.noise), **masks}

    def finish(self, inputs):
        return {k: (v >= self.config["drop"]).astype(np.float32) if k.startswith("mask_") else v for k, v in inputs.items()}

    def discriminate(self, d, x):
        for i in range(4):
            name = "conv%d" % (i + 1)
            x = d.leaky(name, d.conv(name, x, 1 if i == 0 else 2))
        return x.flatten(1)

    def judge(self, d, images, inputs, which):
        return d.dense("fc", self.discriminate(d, images) * inputs["mask_" + which] / (1 - self.config["drop"]))

    def generate(self, g, z, training=True):
        base = self.config["base"]
        x = g.leaky("fc", g.dense("fc", z)).view(-1, self.config["g_ch"][0], base, base)
        for i in range(3):
            name = "deconv%d" % (i + 1)
            x = g.leaky(name, g.up(name, x))
        return torch.tanh(g.conv("conv4", x))

    def candidate(self, g, inputs):
        return self.generate(g, inputs["z_gan"])

    def partial_gradients(self, parts):
        return {"grad_real.d": parts["d_real"], "grad_fake.d": parts["d_fake"]}

    def d_steps(self, play):
        def on_real():
            return called_real(self.judge(play.d, play.inputs["x"], play.inputs, "real")), {}

        def on_fake():
            fake = self.fake(play.g, play.inputs).detach()
            return called_fake(self.judge(play.d, fake, play.inputs, "fake")), {}
        return [("d_real", on_real), ("d_fake", on_fake)]


class Toy(Gan):
    noise = 1.75
    pixels = (-2.0, 2.0)

    def optimizers(self):
        return {"d": adam(0.05), "g": adam(0.01)}

    def shapes(self):
        c = self.config
        return {"d": {**dense("fc1", c["dim"], c["d_h1"]), **dense("fc2", c["d_h1"], c["d_h2"]), **dense("fc3", c["d_h2"], 2)},
                "g": dense("fc", c["latent"], c["dim"])}

    def image(self, batch):
        return batch, self.config["dim"]

    def discriminate(self, d, x):
        return d.dense("fc3", torch.tanh(d.dense("fc2", torch.tanh(d.dense("fc1", x)))))

    def generate(self, g, z, training=True):
        return g.dense("fc", z)

    def d_loss(self, d, inputs, fake):
        scores = self.discriminate(d, inputs["x"]), self.discriminate(d, fake)
        real, wrong = self.of_class(scores[0], 1), self.of_class(scores[1], 0)
        return real + wrong, {"d_real": real, "d_fake": wrong}, {"d_real": scores[0], "d_fake": scores[1]}

    def g_loss(self, d, inputs, fake):
        return self.of_class(self.discriminate(d, fake), 1)

    @staticmethod
    def of_class(logits, label):
        return -F.log_softmax(logits, 1)[:, label].mean()


ARCHITECTURES = {"gan": Gan, "cgan": ConditionalGan, "dcgan": Dcgan, "wgan": Wgan, "wgan_gp": WganGp, "began": Began,
                 "cs231n": Cs231n, "cifar": Cifar, "toy2d": Toy}


# ---------------------------------------------------------------------------------------------- what a file expects

class Play:
    """Both networks at their start, and the inputs."""

    def __init__(self, hyper, params, inputs, dtype, probe=None):
        self.nets = {}
        for name in ("d", "g"):
            own = {k[2:]: torch.tensor(v, dtype=dtype) for k, v in params.items() if k.startswith(name + ".")}
            for k, v in own.items():
                # A scale that is not trained is not there at all for the tutorial, a shift has its gradient.
                v.requires_grad_("running_" not in k and not (k.endswith(".gamma") and k in hyper["frozen"].get(name, [])))
            self.nets[name] = Network(name, own, hyper["bn"].get(name, {}), probe)
        self.d, self.g = self.nets["d"], self.nets["g"]
        self.inputs = {k: torch.tensor(v, dtype=dtype) for k, v in inputs.items()}

    def learnt(self, net):
        return {k: v for k, v in self.nets[net].tensors.items() if v.requires_grad}

    def trained(self, net, hyper):
        return {k: v for k, v in self.learnt(net).items() if k not in hyper["frozen"].get(net, [])}


def gradients(prefix, loss, parameters):
    found = torch.autograd.grad(loss, list(parameters.values()), retain_graph=True, allow_unused=True)
    return {"%s.%s" % (prefix, k): torch.zeros_like(v) if g is None else g for (k, v), g in zip(parameters.items(), found)}


def one_step(model, hyper, params, inputs, dtype, probe=None):
    """Forward values, losses, gradients, and the statistics after one pass of the generator, by golden name without 'expected.'."""
    play, result = Play(hyper, params, inputs, dtype, probe), {}
    if "g" in hyper["bn"]:
        result["out.g_eval"] = model.fake(Network("g", play.g.tensors, play.g.norms), play.inputs, training=False)
    fake = model.fake(play.g, play.inputs)
    result["out.g"] = fake
    statistics = {"after1.g." + k: v for k, v in play.g.tensors.items() if "running_" in k}
    learnt = play.learnt("d")
    loss, parts, out = model.d_loss(play.d, play.inputs, fake.detach())
    result.update({"out." + k: v for k, v in out.items()})
    result.update({"loss.d": loss, **{"loss." + k: v for k, v in parts.items()}})
    result.update(gradients("grad.d", loss, learnt))
    for prefix, part in model.partial_gradients(parts).items():
        result.update(gradients(prefix, part, learnt))

    candidate = model.candidate(play.g, play.inputs)
    if "z_gan" in inputs:
        result["out.g_gan"] = candidate
    loss = model.g_loss(play.d, play.inputs, candidate)
    result.update({"loss.g": loss, **gradients("grad_fake_input", loss, {"g": candidate}), **gradients("grad.g", loss, play.learnt("g"))})
    return {k: v.detach().double().numpy() for k, v in {**result, **statistics}.items()}


def update(play, net, hyper, optimizer, gradient):
    """One step with the gradients by name, and the clip of the critic."""
    trained = play.trained(net, hyper)
    for k, v in trained.items():
        v.grad = gradient(k)
    optimizer.step()
    if net == "d" and hyper["clip"] is not None:
        for v in trained.values():
            v.data.clamp_(-hyper["clip"], hyper["clip"])


def optimizer_of(play, net, hyper):
    return optimizer_for(list(play.trained(net, hyper).values()), hyper["optimizers"][net])


def after1(hyper, params, grads, dtype):
    """One optimizer step of each network from `params` with `grads`."""
    play, result = Play(hyper, params, {}, dtype), {}
    for net in play.nets:
        update(play, net, hyper, optimizer_of(play, net, hyper), lambda k, net=net: torch.tensor(grads["grad.%s.%s" % (net, k)], dtype=dtype))
        own = play.nets[net].tensors.items()
        result.update({"after1.%s.%s" % (net, k): v.detach().double().numpy() for k, v in own if "running_" not in k})
    return result


def trace(model, hyper, params, inputs, dtype, probe=None):
    """Losses of some iterations of the model's schedule on the same inputs."""
    play, traced = Play(hyper, params, inputs, dtype, probe), {}
    optimizers = {net: optimizer_of(play, net, hyper) for net in play.nets}

    def step(net, loss):
        found = gradients(net, loss, play.trained(net, hyper))
        update(play, net, hyper, optimizers[net], lambda k: found["%s.%s" % (net, k)])

    def add(values):
        for k, v in values.items():
            traced.setdefault("trace." + k, []).append(float(v))

    for _ in range(TRACE):
        parts = {}
        for name, losses in model.d_steps(play):
            loss, parts = losses()
            add({name: loss, **parts})
            step("d", loss)
        loss = model.g_loss(play.d, play.inputs, model.candidate(play.g, play.inputs))
        add({"g_loss": loss})
        step("g", loss)
        add(model.after_iteration(play, parts))
    return {k: np.array(v) for k, v in traced.items()}


def expected(model, hyper, params, inputs, dtype, grads=None):
    """Everything a file expects.  `grads`: gradients for the single step (default: the computed ones)."""
    result = one_step(model, hyper, params, inputs, dtype)
    result.update(after1(hyper, params, grads or result, dtype))
    result.update(trace(model, hyper, params, inputs, dtype))
    return result


def kinks(model, hyper, params, inputs, run):
    """Per layer: how close `run` (one_step or trace) in float64 comes to a jump of a derivative; 0 where a channel is all but dead."""
    margins = {}

    def probe(name, distance, scale, dead):
        margins[name] = min(margins.get(name, float("inf")), 0.0 if dead or not scale > 0 else float(distance / scale))

    run(model, hyper, params, inputs, torch.float64, probe)
    return margins


def data(model, batch, draw):
    """Parameters and inputs; `draw(name, shape, low, high)` gives the numbers."""
    params = {"%s.%s" % (net, k): draw("%s.%s" % (net, k), *bounds) for net, own in model.shapes().items() for k, bounds in own.items()}
    return params, model.finish({k: draw(k, *bounds) for k, bounds in model.inputs(batch).items()})
