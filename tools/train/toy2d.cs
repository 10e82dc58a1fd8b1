#:project ../../src/CudaGen.Training/CudaGen.Training.csproj

// GAN for a Gaussian in the plane: small enough to look at all of it.

using CudaGen.Nets;
using CudaGen.Training;

return Trainer.Run(new TrainProgram("toy2d", "trains a tiny GAN on points of a Gaussian in the plane", DataKind.Points,
    r =>
    {
        ToySizes sizes = new(Latent: r.Latent ?? 2);
        return r.Recipe == Recipe.Seed ? ToyGan.Tutorial(sizes, r.Tricks) : ToyGan.Canonical(sizes, r.Tricks);
    },
    [
        "epsilon of Adam: seed 1e-8 on the uncorrected root (MXNet), canonical 1e-8 on the corrected one (the paper)",
    ])
{ Batch = _ => 4, Epochs = 9, Flags = ModelFlags.OfCritics }, args);
