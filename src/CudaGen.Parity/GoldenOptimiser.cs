using System.Text.Json;
using CudaGen.Kernels;
using CudaGen.Nets;
using CudaGen.Runtime;

namespace CudaGen.Parity;

/// <summary>The optimiser that a golden file names, running on tensors of its own.</summary>
internal sealed class GoldenOptimiser
{
    private readonly JsonElement _options;
    private readonly GoldenFile _golden;

    private GoldenOptimiser(GoldenFile golden, JsonElement options) => (_golden, _options) = (golden, options);

    /// <summary>Reads <c>algo</c>, <c>lr</c> and the rest.</summary>
    /// <exception cref="InputException">It is neither Adam nor RMSprop, or a number is missing.</exception>
    public static GoldenOptimiser Read(GoldenFile golden, JsonElement options)
    {
        var optimiser = new GoldenOptimiser(golden, options);
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
        : throw _golden.Wrong("optimizer: found rmsprop, expected adam for this model");

    /// <summary>The numbers for a model.</summary>
    public OptimiserOptions Options => IsAdam ? Adam : RmsProp;

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
                Optimisers.RmsProp(device, parameters, gradient, second, clip is { } bound ? RmsProp with { Clip = bound } : RmsProp);
            device.Upload(step, [device.Read(step) + 1]);
            after((int)device.Read(step));
        }
    }

    /// <summary>
    /// One step from the initial parameters with the expected gradients instead of the computed ones, at every place of
    /// which the file knows both gradient and result; null where there is none.
    /// </summary>
    public Check? Alone(Device device, string net, string name, float[] initial, float? clip)
    {
        if (_golden.Find($"after1.{net}.{name}") is not { } after || _golden.Find($"grad.{net}.{name}") is not { } gradient)
            return null;
        Dictionary<int, float> gradients = gradient.Values.Select((value, i) => (At: gradient.IndexOf(i), value))
            .DistinctBy(g => g.At).ToDictionary(g => g.At, g => g.value);
        int[] known = [.. Enumerable.Range(0, after.Values.Length).Where(i => gradients.ContainsKey(after.IndexOf(i)) && after.IndexOf(i) < initial.Length)];
        if (known.Length == 0)
            return null;
        using var work = new Workspace(device);
        Tensor parameters = work.Of(new Shape(known.Length), [.. known.Select(i => initial[after.IndexOf(i)])]);
        Run(device, parameters, [[.. known.Select(i => gradients[after.IndexOf(i)])]], clip, _ => { });
        float[] found = device.ToArray(parameters);
        ExpectedTensor expected = after with { Values = [.. known.Select(i => after.Values[i])], Indices = null, Statistics = null };
        return Comparison.Entries(expected, new([known.Length], found), Comparison.OptimiserAlone(found, new(StepSize))) with { Note = "optimizer alone" };
    }

    private float Number(string name) => (float)Field(name, JsonValueKind.Number).GetDouble();

    private JsonElement Field(string name, JsonValueKind kind)
        => _options.ValueKind == JsonValueKind.Object && _options.TryGetProperty(name, out JsonElement value) && value.ValueKind == kind
        ? value
        : throw _golden.Wrong($"optimizer: found no {kind.ToString().ToLowerInvariant()} '{name}'");
}
