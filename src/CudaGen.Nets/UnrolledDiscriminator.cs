using CudaGen.Kernels;
using CudaGen.Runtime;

namespace CudaGen.Nets;

/// <summary>
/// Some updates of a discriminator that are only tried, and the gradient of a loss through all of them (Metz et al. 2017, "Unrolled
/// generative adversarial networks", equations 7 to 9). With w the parameters, m and v Adam's moments, x the images, L the discriminator's
/// loss and J a loss that depends on w_K and x:
/// <code>
/// forward    g_k = dL/dw (w_k, x)        (w, m, v)_(k+1) = Adam((w, m, v)_k, g_k)        k = 0 to K - 1
/// backward   from dJ/dw_K, for k = K - 1 to 0:    dg_k from Adam backwards
///            dJ/dw_k += d2L/dw2 dg_k              dJ/dx += d2L/dxdw dg_k
/// </code>
/// Both products are one of <see cref="HessianProduct"/>. Of each update w, g, m and v are kept; activations are computed again on the
/// way back. The discriminator itself ends up as it was.
/// </summary>
internal sealed class UnrolledDiscriminator
{
    private readonly ParameterGroup _group;
    private readonly Optimiser _optimiser;
    private readonly AdamOptions _adam;
    private readonly Action<bool> _passes;
    private readonly Action _tangent;
    // Before each update: parameters, gradient and count. After it: both moments.
    private readonly Tensor[] _values, _gradients, _first, _second;
    private readonly Buffer<ulong>[] _counts;
    private readonly Tensor _dFirst, _dSecond;

    /// <param name="planner">Where memory comes from.</param>
    /// <param name="steps">Number of updates, K.</param>
    /// <param name="network">The discriminator.</param>
    /// <param name="group">Its parameters.</param>
    /// <param name="optimiser">Its optimiser.</param>
    /// <param name="passes">
    /// Both passes of the discriminator's loss; with true, the gradients of the parameters are added, too.
    /// </param>
    /// <param name="tangent">From the tangent Y of <see cref="Hessian"/>: the tangent DY of the gradient of the discriminator's loss.</param>
    /// <exception cref="InputException">A layer is not dense.</exception>
    public UnrolledDiscriminator(Planner planner, int steps, Network network, ParameterGroup group, Optimiser optimiser, Action<bool> passes,
        Action tangent)
    {
        (_group, _optimiser, _passes, _tangent) = (group, optimiser, passes, tangent);
        _adam = optimiser.Options.Adam ?? throw new InputException($"{steps} unrolled steps: found RMSProp, expected Adam");
        Hessian = new(planner, network, group);
        (_values, _gradients, _first, _second) = (Each(), Each(), Each(), Each());
        _counts = [.. Enumerable.Range(0, steps).Select(_ => planner.Buffer<ulong>(1))];
        (_dFirst, _dSecond) = (planner.Flat(group), planner.Flat(group));

        Tensor[] Each() => [.. Enumerable.Range(0, steps).Select(_ => planner.Flat(group))];
    }

    public HessianProduct Hessian { get; }

    /// <summary>Makes the updates. The parameters are w_K until <see cref="Backward"/>.</summary>
    public void Forward(Device device)
    {
        for (int k = 0; k < _values.Length; k++)
        {
            device.Copy(_values[k], _group.Value);
            _group.ZeroGradients();
            _passes(true);
            device.Copy(_gradients[k], _group.Gradient);
            device.Copy(_first[k], k == 0 ? _optimiser.First : _first[k - 1]);
            device.Copy(_second[k], k == 0 ? _optimiser.Second : _second[k - 1]);
            device.Copy(_counts[k], k == 0 ? _optimiser.Updates : _counts[k - 1]);
            if (k > 0)
                StepState.Count(device, _counts[k]);
            Optimisers.Adam(device, _group.Value, _gradients[k], _first[k], _second[k], _counts[k], _adam);
        }
        _group.ZeroGradients();
    }

    /// <summary>
    /// From dJ/dw_K in the gradients of the group, zeroed by <see cref="Forward"/>: adds to <paramref name="dx"/>, the gradient of the rows of x from
    /// <paramref name="first"/> on, what J owes to them through the updates. The gradients of the group become dJ/dw_0.
    /// </summary>
    public void Backward(Device device, Tensor dx, int first)
    {
        RandomFill.Constant(device, _dFirst, 0);
        RandomFill.Constant(device, _dSecond, 0);
        for (int k = _values.Length - 1; k >= 0; k--)
        {
            Optimisers.AdamBackward(device, Hessian.Direction, _dFirst, _dSecond, _group.Gradient, _gradients[k], _first[k], _second[k], _counts[k],
                _adam);
            device.Copy(_group.Value, _values[k]);
            _passes(false);
            Hessian.Forward(device);
            _tangent();
            Hessian.Backward(device);
            Arithmetic.Add(device, _group.Gradient, _group.Gradient, Hessian.Product);
            Arithmetic.Add(device, dx, dx, Hessian.DX.Rows(first, dx.Shape.Rows));
        }
    }
}
