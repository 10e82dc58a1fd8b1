using CudaGen.Kernels;
using CudaGen.Runtime;

namespace CudaGen.Nets;

/// <summary>How the elements of a parameter start.</summary>
/// <param name="Kind">Which distribution.</param>
/// <param name="Mean">Its mean.</param>
/// <param name="Deviation">The deviation of a normal one; the length of orthogonal rows.</param>
public readonly record struct Initialiser(InitialiserKind Kind, float Mean = 0, float Deviation = 0)
{
    public static Initialiser Zero => new(InitialiserKind.Constant);

    public static Initialiser One => new(InitialiserKind.Constant, 1);

    /// <summary>Uniform in +-sqrt(6 / (fan in + fan out)) (Glorot and Bengio 2010): TensorFlow's default.</summary>
    public static Initialiser GlorotUniform => new(InitialiserKind.GlorotUniform);

    public static Initialiser Normal(float deviation, float mean = 0) => new(InitialiserKind.Normal, mean, deviation);

    /// <summary>Normal, drawn again beyond two deviations: TensorFlow's truncated normal.</summary>
    public static Initialiser TruncatedNormal(float deviation) => new(InitialiserKind.TruncatedNormal, 0, deviation);

    /// <summary>
    /// Rows that are orthogonal and of length <paramref name="gain"/>, or columns, where they are fewer (Saxe et al. 2014); for weights
    /// (out, in).
    /// </summary>
    public static Initialiser Orthogonal(float gain) => new(InitialiserKind.Orthogonal, 0, gain);

    /// <summary>Draws a parameter from (seed, stream).</summary>
    internal void Fill(Device device, Parameter parameter, ulong seed, uint stream, Buffer<ulong> zero)
    {
        Tensor value = parameter.Value;
        switch (Kind)
        {
            case InitialiserKind.GlorotUniform:
                float bound = MathF.Sqrt(6f / (parameter.FanIn + parameter.FanOut));
                RandomFill.Uniform(device, value, seed, stream, zero, -bound, bound);
                break;
            case InitialiserKind.Normal:
                RandomFill.Normal(device, value, seed, stream, zero, Mean, Deviation);
                break;
            case InitialiserKind.TruncatedNormal:
                FillTruncated(device, value, seed, stream, zero);
                break;
            case InitialiserKind.Orthogonal:
                FillOrthogonal(device, value, seed, stream, zero);
                break;
            default:
                RandomFill.Constant(device, value, Mean);
                break;
        }
    }

    // Draws once more for what lies beyond, at the next steps of the stream; a round leaves one in twenty.
    private void FillTruncated(Device device, Tensor value, ulong seed, uint stream, Buffer<ulong> zero)
    {
        float[] kept = new float[value.Length];
        Array.Fill(kept, float.NaN);
        for (ulong round = 0; kept.Any(float.IsNaN); round++)
        {
            device.Upload(zero, [round]);
            RandomFill.Normal(device, value, seed, stream, zero, 0, Deviation);
            float[] drawn = device.ToArray(value);
            for (int i = 0; i < kept.Length; i++)
            {
                if (float.IsNaN(kept[i]) && Math.Abs(drawn[i]) <= 2 * Deviation)
                    kept[i] = drawn[i];
            }
        }
        device.Upload(zero, [0UL]);
        device.Upload(value, kept);
    }

    // Gram and Schmidt, on normal numbers.
    private void FillOrthogonal(Device device, Tensor value, ulong seed, uint stream, Buffer<ulong> zero)
    {
        RandomFill.Normal(device, value, seed, stream, zero);
        float[] drawn = device.ToArray(value);
        int rows = value.Shape.Rows, columns = value.Shape.RowLength;
        // Element j of vector i.
        int At(int i, int j) => rows <= columns ? i * columns + j : j * columns + i;
        int count = Math.Min(rows, columns), length = Math.Max(rows, columns);
        double[] vectors = Array.ConvertAll(drawn, x => (double)x);
        for (int i = 0; i < count; i++)
        {
            for (int other = 0; other < i; other++)
            {
                double along = 0;
                for (int j = 0; j < length; j++)
                    along += vectors[At(i, j)] * vectors[At(other, j)];
                for (int j = 0; j < length; j++)
                    vectors[At(i, j)] -= along * vectors[At(other, j)];
            }
            double squares = 0;
            for (int j = 0; j < length; j++)
                squares += vectors[At(i, j)] * vectors[At(i, j)];
            for (int j = 0; j < length; j++)
                vectors[At(i, j)] /= Math.Sqrt(squares);
        }
        for (int i = 0; i < drawn.Length; i++)
            drawn[i] = (float)(Deviation * vectors[i]);
        device.Upload(value, drawn);
    }
}

/// <summary>A family of distributions.</summary>
public enum InitialiserKind
{
    Constant,
    GlorotUniform,
    Normal,
    TruncatedNormal,
    Orthogonal,
}
