"""Layers with TensorFlow's geometry, and one network of them: its parameters by name, its statistics, its kinks."""
import torch
import torch.nn.functional as F

LEAK = 0.2


def same_pads(extent, kernel, stride):
    """TensorFlow's SAME: (before, after); what does not divide evenly goes after."""
    total = max((-(-extent // stride) - 1) * stride + kernel - extent, 0)
    return total // 2, total - total // 2


def conv(x, w, b, stride, pads):
    top, bottom, left, right = pads
    return F.conv2d(F.pad(x, (left, right, top, bottom)), w, b, stride)


def conv_transpose(x, w, b, stride, crop):
    top, bottom, left, right = crop
    full = F.conv_transpose2d(x, w, b, stride)
    return full[:, :, top:full.shape[2] - bottom, left:full.shape[3] - right]


def resize(x, size):
    """TensorFlow 1's bilinear resize without aligned corners: pixel i of the result is at i * extent / size."""
    for axis in (2, 3):
        extent = x.shape[axis]
        at = torch.arange(size, dtype=torch.float64) * (extent / size)
        low = at.floor().long().clamp(max=extent - 1)
        share = (at - low).to(x.dtype).reshape((-1, 1) if axis == 2 else (-1,))
        x = x.index_select(axis, low) * (1 - share) + x.index_select(axis, (low + 1).clamp(max=extent - 1)) * share
    return x


class Network:
    """A network called `d` or `g`.

    `tensors`: parameters and running statistics by name; training replaces the statistics.  `norms`: eps and momentum of
    each batch norm.  `probe(name, value)` is told whatever is zero where a derivative jumps, and how far it is from it.
    """

    def __init__(self, name, tensors, norms, probe=None):
        self.name, self.tensors, self.norms, self.probe = name, tensors, norms, probe

    def of(self, layer):
        return self.tensors[layer + ".weight"], self.tensors.get(layer + ".bias")

    def kink(self, layer, distance, scale, dead=False):
        if self.probe is not None:
            self.probe("%s.%s" % (self.name, layer), distance.detach(), scale.detach(), dead)

    def dense(self, layer, x):
        return F.linear(x, *self.of(layer))

    def conv(self, layer, x, stride=1):
        """Padded as SAME."""
        w, b = self.of(layer)
        return conv(x, w, b, stride, same_pads(x.shape[2], w.shape[2], stride) + same_pads(x.shape[3], w.shape[3], stride))

    def valid(self, layer, x, stride=1, pad=0):
        return conv(x, *self.of(layer), stride, (pad,) * 4)

    def up(self, layer, x, stride=2):
        """The input gradient of a SAME convolution: stride times as large."""
        w, b = self.of(layer)
        crop = same_pads(stride * x.shape[2], w.shape[2], stride) + same_pads(stride * x.shape[3], w.shape[3], stride)
        return conv_transpose(x, w, b, stride, crop)

    def norm(self, layer, x, training):
        mean, var = self.tensors[layer + ".running_mean"], self.tensors[layer + ".running_var"]
        if training:
            mean, var = mean.clone(), var.clone()
            self.tensors.update({layer + ".running_mean": mean, layer + ".running_var": var})
        options = self.norms[layer]
        return F.batch_norm(x, mean, var, self.tensors[layer + ".gamma"], self.tensors[layer + ".beta"], training,
                            options["momentum"], options["eps"])

    def relu(self, layer, x):
        active = (x > 0).double()
        dead = bool((active.mean((0, 2, 3)) if x.dim() == 4 else active.mean()).min() < 0.02)
        self.kink(layer, x.abs().min(), x.square().mean().sqrt(), dead)
        return F.relu(x)

    def leaky(self, layer, x, slope=LEAK):
        self.kink(layer, x.abs().min(), x.square().mean().sqrt())
        return F.leaky_relu(x, slope)

    def max_pool(self, layer, x):
        """2x2; what is left over at the bottom and right is dropped."""
        if self.probe is not None:
            windows = F.unfold(x.detach().flatten(0, 1).unsqueeze(1), 2, stride=2).transpose(1, 2)
            best = windows.topk(2, dim=2).values
            self.kink(layer, (best[..., 0] - best[..., 1]).min(), x.square().mean().sqrt())
        return F.max_pool2d(x, 2)

    def l1(self, name, x, y):
        difference = x - y
        self.kink(name, difference.abs().min(), difference.square().mean().sqrt())
        return difference.abs().mean()
