using System.Text.Json;
using CudaGen.Kernels;
using CudaGen.Runtime;

namespace CudaGen.Parity;

/// <summary>The optimiser that a golden file names, running on tensors of its own.</summary>
internal sealed class Optimiser
{
    private readonly JsonElement _options;
    private readonly GoldenFile _golden;

    private Optimiser(GoldenFile golden, JsonElement options) => (_golden, _options) = (golden, options);

    /// <summary>Reads <c>algo</c>, <c>lr</c> and the rest.</summary>
    /// <exception cref="InputException">It is neither Adam nor RMSprop, or a number is missing.</exception>
    public static Optimiser Read(GoldenFile golden, JsonElement options)
    {
        var optimiser = new Optimiser(golden, options);
        _ = optimiser.IsAdam ? (object)optimiser.Adam : optimiser.RmsProp;
        return optimiser;
    }

    private bool IsAdam => Field("algo", JsonValueKind.String).GetString() switch
    {
        "adam" => true,
        "rmsprop" => false,
        string other => throw _golden.Wrong($"optimizer: found algo '{other}', expected adam or rmsprop"),
        null => throw _golden.Wrong("optimizer: found no algo, expected adam or rmsprop"),
    };

    /// <summary>The numbers of Adam; its epsilon is where PyTorch adds it.</summary>
    public AdamOptions Adam => IsAdam
        ? new(Number("lr"), Number("beta1"), Number("beta2"), Number("eps"), AdamEpsilon.Corrected)
        : throw _golden.Wrong("optimizer: found rmsprop, expected adam: no supported model is trained with another one");

    private RmsPropOptions RmsProp => new(Number("lr"), Number("alpha"), Number("eps"));

    /// <summary>The most that a step moves a parameter, which the first step nearly does.</summary>
    public double StepSize => IsAdam ? Number("lr") : Number("lr") / Math.Sqrt(1 - Number("alpha"));

    /// <summary>Updates <paramref name="parameters"/> in place once for each gradient, and reports after each step.</summary>
    public void Run(Device device, Tensor parameters, IEnumerable<float[]> gradients, float? clip, Action<int> after)
    {
        using var work = new Workspace(device);
        Tensor gradient = work.Take(parameters.Shape), first = work.Take(parameters.Shape), second = work.Take(parameters.Shape);
        Buffer<ulong> step = work.Counter();
        foreach (float[] values in gradients)
        {
            device.Upload(gradient, values);
            if (IsAdam)
                Optimisers.Adam(device, parameters, gradient, first, second, step, Adam);
            else
                Optimisers.RmsProp(device, parameters, gradient, second, RmsProp);
            if (clip is { } bound)
                Optimisers.Clip(device, parameters, bound);
            device.Upload(step, [device.Read(step) + 1]);
            after((int)device.Read(step));
        }
    }

    private float Number(string name) => (float)Field(name, JsonValueKind.Number).GetDouble();

    private JsonElement Field(string name, JsonValueKind kind)
        => _options.ValueKind == JsonValueKind.Object && _options.TryGetProperty(name, out JsonElement value) && value.ValueKind == kind
        ? value
        : throw _golden.Wrong($"optimizer: found no {kind.ToString().ToLowerInvariant()} '{name}'");
}
