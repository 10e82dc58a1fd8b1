#!/usr/bin/env bash
# tools/bundle.sh OUT_DIR: makes OUT_DIR/bin, which holds the programs of tools/ and bench/, the tests of Runtime, Kernels and
# Nets, the golden files and a trimmed .NET for Linux on x86-64. It runs there without .NET, from any folder, also one that
# cannot be written. docs/cuda.md tells what it needs and what to do with it.
set -euo pipefail
[ $# -eq 1 ] && [ "${1#-}" = "$1" ] || { echo "usage: tools/bundle.sh OUT_DIR" >&2; exit 2; }
mkdir -p "$1"
bin=$(cd "$1" && pwd)/bin
cd "$(dirname "$0")/.."
rm -rf "$bin"
# The commit stands in every assembly; gpu-check writes it into its results. That compiles everything anew, which the analyzers,
# whom the build of the solution has asked already, would make twice as long.
dotnet publish -c Release tools/bundle/host -o "$bin" -p:RunAnalyzers=false -p:SourceRevisionId="$(git describe --always --dirty --abbrev=40)"
cp bench/torch_peer.py "$bin"
rm "$bin"/*.Tests.{deps,runtimeconfig}.json
# A program is the host under its name.
for program in tools/*.cs tools/train/*.cs bench/bench.cs CudaGen.{Runtime,Kernels,Nets}.Tests.cs; do
    ln -f "$bin/cudagen" "$bin/$(basename "$program" .cs)"
done
chmod -R a+rX "$bin"
echo "$bin: $(du -sm "$bin" | cut -f 1) MB"
