using CudaGen.Kernels;
using CudaGen.Runtime;

namespace CudaGen.Nets;

/// <summary>
/// The Hessian of a loss times a direction s in the space of the parameters, for a network of dense layers: the derivative of its
/// forward and backward pass where the parameters move along s (Pearlmutter 1994, "Fast exact multiplication by the Hessian"). With
/// a_l = W_l h_(l-1) + b_l, h_l = f(a_l), e_l the gradient of the loss with respect to a_l, S_l and c_l the parts of s that belong to W_l
/// and b_l, and T for the derivative along s:
/// <code>
/// forward    T a_l = W_l T h_(l-1) + S_l h_(l-1) + c_l           T h_l = f'(a_l) T a_l              T h_0 = 0
/// backward   T e_l = f'(a_l) T dh_l + f''(a_l) T a_l dh_l        T dh_l = T e_(l+1) W_(l+1) + e_(l+1) S_(l+1)
///            T dW_l += T e_l^T h_(l-1) + e_l^T T h_(l-1)         T db_l += sum over rows of T e_l
/// </code>
/// T dw is the Hessian with respect to w times s; T dh_0 is the mixed second derivative, with respect to the input and to w along s.
/// It reads what the network's own two passes have left, h_l and e_l.
/// </summary>
internal sealed class HessianProduct
{
    private readonly DenseLayer[] _layers;
    private readonly ParameterGroup _group;
    // Of each layer: T a, T h, and T dh, which T e takes the place of.
    private readonly Tensor[] _before, _after, _back;
    private readonly Tensor _scratch;

    /// <exception cref="InputException">A layer is not dense; the message names it.</exception>
    public HessianProduct(Planner planner, Network network, ParameterGroup group)
    {
        if (network.Layers.FirstOrDefault(l => l is not DenseLayer) is { } other)
            throw new InputException($"layer '{other.Name}' ({other.What}) has no Hessian here, expected a discriminator of dense layers");
        _layers = [.. network.Layers.Cast<DenseLayer>()];
        _group = group;
        _before = [.. _layers.Select(l => planner.Activation(l.Y.Shape))];
        _after = [.. _layers.Select(l => planner.Activation(l.Y.Shape))];
        _back = [.. _layers.Select(l => planner.Activation(l.Y.Shape))];
        _scratch = planner.Activation(new(_layers.Max(l => Math.Max(l.X.Length, l.Y.Length))));
        (Direction, Product) = (planner.Flat(group), planner.Flat(group));
        DX = planner.Activation(network.X.Shape);
    }

    /// <summary>s, all parameters flat.</summary>
    public Tensor Direction { get; }

    /// <summary>The Hessian times s, likewise.</summary>
    public Tensor Product { get; }

    /// <summary>The tangent of the output, shape of y.</summary>
    public Tensor Y => _after[^1];

    /// <summary>Where the tangent of the loss's gradient with respect to y goes before <see cref="Backward"/>, which overwrites it.</summary>
    public Tensor DY => _back[^1];

    /// <summary>The tangent of the gradient of the input, shape of x.</summary>
    public Tensor DX { get; }

    /// <summary>From <see cref="Direction"/>, after the network's forward pass: <see cref="Y"/>.</summary>
    public void Forward(Device device)
    {
        for (int l = 0; l < _layers.Length; l++)
        {
            DenseLayer layer = _layers[l];
            Dense.Forward(device, _before[l], layer.X, _group.In(Direction, layer.Weight), _group.In(Direction, layer.Bias), Activation.Linear);
            if (l > 0)
            {
                Tensor more = _scratch.Slice(0, layer.Y.Shape);
                Dense.Forward(device, more, _after[l - 1], layer.Weight, null, Activation.Linear);
                Arithmetic.Add(device, _before[l], _before[l], more);
            }
            BiasActivation.Backward(device, _after[l], _before[l], layer.Y, null, layer.Activation);
        }
    }

    /// <summary>From <see cref="DY"/>, after the network's backward pass: <see cref="Product"/> and <see cref="DX"/>.</summary>
    public void Backward(Device device)
    {
        for (int l = _layers.Length - 1; l >= 0; l--)
        {
            DenseLayer layer = _layers[l];
            BiasActivation.BackwardTangent(device, _back[l], _back[l], _before[l], layer.DY, layer.Y, layer.Activation);
            // What is left to do is the sum over rows.
            BiasActivation.Backward(device, _back[l], _back[l], layer.Y, _group.In(Product, layer.Bias), Activation.Linear, add: false);
            Dense.BackwardWeights(device, _group.In(Product, layer.Weight), _back[l], layer.X, add: false);
            if (l > 0)
                Dense.BackwardWeights(device, _group.In(Product, layer.Weight), layer.DY, _after[l - 1]);
            Tensor dx = l > 0 ? _back[l - 1] : DX, more = _scratch.Slice(0, dx.Shape);
            Dense.BackwardData(device, dx, _back[l], layer.Weight);
            Dense.BackwardData(device, more, layer.DY, _group.In(Direction, layer.Weight));
            Arithmetic.Add(device, dx, dx, more);
        }
    }
}
