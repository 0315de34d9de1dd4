"""The peers that run in Node.js: scripts in peers/node/, packages installed below build/."""

import json
import os
import shutil
import subprocess


class NodePrograms:
    def __init__(self, root):
        self._scripts = os.path.join(root, "tests/benchmarks/peers/node")
        self._modules = os.path.join(root, "build/peers/node_modules")

    def missing(self):
        if not shutil.which("node"):
            return "nodejs is not installed"
        if not os.path.isdir(self._modules):
            return "its npm packages are not installed"
        return None

    def command(self, script):
        return ["node", os.path.join(self._scripts, script)]

    def environment(self):
        return dict(os.environ, NODE_PATH=self._modules)

    def versions(self):
        with open(os.path.join(self._scripts, "package.json"), encoding="utf-8") as file:
            pinned = json.load(file)["dependencies"]
        node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False)
        return {"Node.js": node.stdout.strip().lstrip("v"), **pinned}
