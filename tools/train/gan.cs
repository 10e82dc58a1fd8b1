#:project ../../src/CudaGen.Training/CudaGen.Training.csproj

// Fully connected GAN (Goodfellow et al. 2014): draws digits from 100 random numbers.

using CudaGen.Nets;
using CudaGen.Training;

return Trainer.Run(new TrainProgram("gan", "trains a fully connected GAN on digits", DataKind.Grey,
    r =>
    {
        GanSizes sizes = new(r.Image, r.Latent ?? 100);
        return r.Recipe == Recipe.Seed ? Gan.Tutorial(sizes, r.Tricks) : Gan.Canonical(sizes, r.Tricks);
    },
    [
        "epsilon of Adam: seed 1e-8 on the uncorrected root (TensorFlow), canonical 1e-8 on the corrected one (the paper)",
    ])
{ Flags = ModelFlags.OfClassifiers }, args);
