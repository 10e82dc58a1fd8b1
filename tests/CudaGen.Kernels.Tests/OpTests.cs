using CudaGen.Kernels.Tests.Ops;

namespace CudaGen.Kernels.Tests;

/// <summary>The chain of trust: finite differences prove the reference, the reference proves every implementation.</summary>
public sealed class OpTests
{
    internal static readonly Dictionary<string, OpTest> Table = new IEnumerable<OpTest>[]
    {
        ConvolutionRows.Ops, DenseRows.Ops, ActivationRows.Ops, LossRows.Ops, VariationalRows.Ops, OptimiserRows.Ops, FillRows.Ops,
        NormRows.Ops, ImageRows.Ops, CriticRows.Ops, AdversarialRows.Ops,
    }.SelectMany(x => x).ToDictionary(x => x.Name);

    private static readonly Dictionary<string, GradientTest> GradientTable = new IEnumerable<GradientTest>[]
    {
        ConvolutionRows.Gradients, DenseRows.Gradients, ActivationRows.Gradients, LossRows.Gradients, VariationalRows.Gradients,
        OptimiserRows.Gradients, NormRows.Gradients, ImageRows.Gradients, CriticRows.Gradients, AdversarialRows.Gradients,
    }.SelectMany(x => x).ToDictionary(x => x.Name);

    public static TheoryData<string> Rows => [.. Table.Keys];

    public static TheoryData<string> GradientRows => [.. GradientTable.Keys];

    [Theory, MemberData(nameof(GradientRows))]
    public void The_reference_gradient_agrees_with_finite_differences(string row) => GradientTable[row].Check();

    [Theory, MemberData(nameof(Rows))]
    public void Every_implementation_agrees_with_the_reference(string row) => Table[row].Check();

    [Theory, MemberData(nameof(Rows))]
    public void Wrong_shapes_are_refused(string row) => Table[row].CheckShapes();
}
