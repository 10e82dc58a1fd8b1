using System.Runtime.CompilerServices;

namespace CudaGen.Kernels.Cpu;

/// <summary>What happens to a tile of sums on its way to memory: add what is there, add the bias, apply the activation.</summary>
/// <param name="bias">Bias of column 0, or null. Readable up to one vector beyond its end.</param>
/// <param name="activation">Applied after the bias.</param>
/// <param name="add">Whether the output is added to.</param>
internal readonly unsafe struct Epilogue(float* bias, Activation activation, bool add)
{
    /// <summary>
    /// Computes a tile and writes it. <paramref name="tile"/> is room for one; whole tiles with cheap activations do not
    /// touch it.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Tile<TSimd, TVec>(float* tile, int rowCount, float** outputs, int column, int width, int valid, float** rows,
        nint aStride, float* b, nint bStride, Segment* segments, int segmentCount)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
    {
        if (rowCount == Product.Rows && valid == width && activation.Kind <= ActivationKind.LeakyRelu)
        {
            if (activation.Kind == ActivationKind.Linear)
            {
                Product.Tile<TSimd, TVec, Product.ToOutput<Linear>>(width / TSimd.Width, new(outputs, column, bias, 0, add), rows, aStride,
                    b, bStride, segments, segmentCount);
            }
            else if (activation.Kind == ActivationKind.Relu)
            {
                Product.Tile<TSimd, TVec, Product.ToOutput<Relu>>(width / TSimd.Width, new(outputs, column, bias, 0, add), rows, aStride,
                    b, bStride, segments, segmentCount);
            }
            else
            {
                Product.Tile<TSimd, TVec, Product.ToOutput<LeakyRelu>>(width / TSimd.Width, new(outputs, column, bias, activation.Slope, add),
                    rows, aStride, b, bStride, segments, segmentCount);
            }
            return;
        }
        Product.Tile<TSimd, TVec, Product.ToBuffer>(width / TSimd.Width, new(tile, width, false), rows, aStride, b, bStride, segments,
            segmentCount);
        Store<TSimd, TVec>(tile, width, rowCount, outputs, column, valid);
    }

    /// <summary>Writes rows of a tile, columns <paramref name="column"/> to column + n, to the row pointers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Store<TSimd, TVec>(float* tile, nint tileStride, int rows, float** outputs, int column, int n)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
    {
        switch (activation.Kind)
        {
            case ActivationKind.Relu: Store<TSimd, TVec, Relu>(tile, tileStride, rows, outputs, column, n); break;
            case ActivationKind.LeakyRelu: Store<TSimd, TVec, LeakyRelu>(tile, tileStride, rows, outputs, column, n); break;
            case ActivationKind.Elu: Store<TSimd, TVec, Elu>(tile, tileStride, rows, outputs, column, n); break;
            case ActivationKind.Tanh: Store<TSimd, TVec, Tanh>(tile, tileStride, rows, outputs, column, n); break;
            case ActivationKind.Sigmoid: Store<TSimd, TVec, Sigmoid>(tile, tileStride, rows, outputs, column, n); break;
            default: Store<TSimd, TVec, Linear>(tile, tileStride, rows, outputs, column, n); break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Store<TSimd, TVec, TActivation>(float* tile, nint tileStride, int rows, float** outputs, int column, int n)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
        where TActivation : struct, IActivation
    {
        TVec slope = TSimd.Set(activation.Slope);
        for (int j = 0; j < n; j += TSimd.Width)
        {
            TVec b = bias == null ? TSimd.Set(0) : TSimd.Load(bias + column + j);
            int left = n - j;
            for (int r = 0; r < rows; r++)
            {
                float* p = outputs[r] + column + j;
                TVec x = TSimd.Load(tile + r * tileStride + j);
                if (add)
                    x = TSimd.Add(x, left >= TSimd.Width ? TSimd.Load(p) : ElementWise.LoadPartial<TSimd, TVec>(p, left));
                if (bias != null)
                    x = TSimd.Add(x, b);
                x = TActivation.Forward<TSimd, TVec>(x, slope);
                if (left >= TSimd.Width)
                    TSimd.Store(p, x);
                else
                    ElementWise.StorePartial<TSimd, TVec>(p, x, left);
            }
        }
    }
}
