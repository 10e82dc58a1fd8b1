#:project ../../src/CudaGen.Training/CudaGen.Training.csproj

// Boundary equilibrium GAN (Berthelot et al. 2017) on faces: the discriminator is an autoencoder.

using CudaGen.Nets;
using CudaGen.Training;

return Trainer.Run(new TrainProgram("began", "trains a boundary equilibrium GAN on pictures", DataKind.Faces,
    r =>
    {
        BeganSizes sizes = BeganSizes.For(r.Image, r.Channels, r.Latent ?? 64);
        return r.Recipe == Recipe.Seed ? Began.Tutorial(sizes, r.Tricks) : Began.Canonical(sizes, r.Tricks);
    },
    [
        "learning rate of Adam, halved every 100,000 steps: seed 8e-5 (a well-known program), canonical 1e-4 (the paper)",
        "epsilon of Adam: seed 1e-8 on the uncorrected root (TensorFlow), canonical 1e-8 on the corrected one (the paper)",
    ])
{ Batch = _ => 16, Epochs = 25, Flags = [ModelFlags.Size, .. ModelFlags.OfCritics] }, args);
