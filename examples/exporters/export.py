#!/usr/bin/env python3
"""Exports the networks of networks.py with torch.onnx.export, as people do today: dynamo, weights in a file beside the model.

    export.py FOLDER [--opset 20] [NAME...]     # FOLDER/vit.opset20.onnx and vit.opset20.onnx.data
    export.py FOLDER --skeleton                 # without weights: skeleton.py draws them again from a seed
"""
import argparse
import pathlib
import warnings

import onnx
import torch

import networks
import skeleton

OPSETS = (18, 20, 23)


def settle(module, example):
    """Gives batch norms the statistics of the example, so that signals neither fade nor grow from layer to layer."""
    for part in module.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.momentum = 1.0
    with torch.no_grad():
        module.train()(*example)


def export(name, opset, folder, is_skeleton):
    torch.manual_seed(0)
    module, example, inputs, outputs, dynamic = networks.NETWORKS[name]()
    settle(module, example)
    path = folder / f"{name}.opset{opset}.onnx"
    torch.onnx.export(module.eval(), example, str(path), dynamo=True, opset_version=opset, input_names=inputs, output_names=outputs,
                      dynamic_shapes=dynamic, external_data=not is_skeleton, verbose=False)
    if is_skeleton:
        onnx.save(skeleton.strip(onnx.load(path)), path)
    print(f"{path} {path.stat().st_size} bytes", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("names", nargs="*", default=list(networks.NETWORKS))
    parser.add_argument("--opset", type=int, action="append", help=f"default: each of {OPSETS}")
    parser.add_argument("--skeleton", action="store_true", help="leave the weights out")
    options = parser.parse_intermixed_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore")
    for name in options.names:
        for opset in options.opset or OPSETS:
            export(name, opset, options.folder, options.skeleton)


if __name__ == "__main__":
    main()
