#:project ../../src/CudaGen.Training/CudaGen.Training.csproj

// GAN for points in the plane, a Gaussian or a ring of eight: small enough to look at all of it.

using CudaGen.Kernels;
using CudaGen.Nets;
using CudaGen.Training;

return Trainer.Run(new TrainProgram("toy2d", "trains a tiny GAN on points in the plane: a Gaussian, or a ring of eight", DataKind.Points,
    r =>
    {
        if (r.Flags.Ring)
            return ToyGan.Ring(ToySizes.Ring(r.Latent ?? 256), r.Tricks, r.Recipe == Recipe.Seed ? AdamEpsilon.Hat : AdamEpsilon.Corrected);
        ToySizes sizes = new(Latent: r.Latent ?? 2);
        return r.Recipe == Recipe.Seed ? ToyGan.Tutorial(sizes, r.Tricks) : ToyGan.Canonical(sizes, r.Tricks);
    },
    [
        "epsilon of Adam: seed 1e-8 on the uncorrected root (MXNet), canonical 1e-8 on the corrected one (the paper)",
    ])
{
    Batch = _ => 4,
    BatchOfFlags = f => f.Ring ? 256 : null,
    Epochs = 9,
    Flags = [ModelFlags.Points, ModelFlags.Unroll, .. ModelFlags.OfCritics],
}, args);
