#:project ../../src/CudaGen.Training/CudaGen.Training.csproj

// Fully connected autoencoder: 28x28 digits to a code of 20 numbers and back.

using CudaGen.Kernels;
using CudaGen.Nets;
using CudaGen.Training;

return Trainer.Run(new TrainProgram("ae", "trains a fully connected autoencoder on digits", DataKind.Grey,
    r => new Autoencoder(new(r.Image, r.Latent ?? 20),
        r.Recipe == Recipe.Seed ? new(1e-4f, EpsilonPlace: AdamEpsilon.Hat) : new(1e-3f)),
    [
        "learning rate of Adam: seed 1e-4, canonical 1e-3 (Kingma and Ba 2015)",
        "epsilon of Adam: seed 1e-8 on the uncorrected root (TensorFlow), canonical 1e-8 on the corrected one (the paper)",
    ]), args);
