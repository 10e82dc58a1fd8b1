using CudaGen.Nets;
using CudaGen.Runtime;

namespace CudaGen.Parity;

/// <summary>
/// How PyTorch lays out the parameters of a network. Where ours flattens images as (H, W, C) and theirs as (C, H, W), dense layers and
/// batch norms over features have their rows or columns in another order.
/// </summary>
internal static class NetworkLayouts
{
    /// <summary>The layout of each parameter and statistic, by name.</summary>
    public static Dictionary<string, Layout> Of(Network network, ParameterGroup group)
    {
        Dictionary<string, Layout> layouts = [];
        Dictionary<string, int> layers = [];
        for (int i = 0; i < network.Layers.Count; i++)
        {
            foreach (string prefix in network.Layers[i].Prefixes)
                layers.TryAdd(prefix, i);
        }
        foreach (NamedTensor tensor in group.Tensors())
        {
            int dot = tensor.Name.LastIndexOf('.');
            if (layers.TryGetValue(tensor.Name[..dot], out int layer))
                layouts.Add(tensor.Name, Of(network.Layers, layer, tensor));
        }
        return layouts;
    }

    private static Layout Of(IReadOnlyList<Layer> layers, int at, NamedTensor tensor)
    {
        Shape shape = tensor.Tensor.Shape, x = layers[at].X.Shape;
        if (shape.Rank == 4)
            return Layout.Images(shape[0], shape[3], shape[1], shape[2]);
        Shape? images = BecomesImages(layers, at);
        if (shape.Rank == 2)
        {
            return images is { } i ? Layout.DenseToImages(i[3], i[1], i[2], shape[1])
                : x.Rank == 4 ? Layout.DenseFromImages(shape[0], x[3], x[1], x[2])
                : Layout.Plain(shape[0], shape[1]);
        }
        return images is { } features ? Layout.BiasToImages(features[3], features[1], features[2]) : Layout.Plain(shape.Length);
    }

    /// <summary>The shape of the images that the features of a layer are taken for, if they are.</summary>
    private static Shape? BecomesImages(IReadOnlyList<Layer> layers, int at)
    {
        for (int i = at; i < layers.Count && layers[i].X.Shape.Rank != 4; i++)
        {
            if (layers[i] is ReshapeLayer)
                return layers[i].Y.Shape;
            if (i > at && layers[i] is DenseLayer or MinibatchDiscriminationLayer)
                return null;
        }
        return null;
    }
}
