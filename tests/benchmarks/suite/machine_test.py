import os
import tempfile
import unittest

from . import machine


class MachineTest(unittest.TestCase):
    def test_the_file_system_of_a_directory_is_known(self):
        self.assertEqual(machine.file_system_of("/proc/self"), "proc")

    def test_a_build_says_how_it_was_compiled(self):
        with tempfile.TemporaryDirectory() as build:
            programs = os.path.join(build, "bin")
            os.mkdir(programs)
            self.assertEqual(machine.flags_of(programs), "")
            with open(os.path.join(build, "CMakeCache.txt"), "w", encoding="utf-8") as file:
                file.write("CMAKE_CXX_FLAGS_RELEASE:STRING=-O2\n")
                file.write("CMAKE_INTERPROCEDURAL_OPTIMIZATION:BOOL=ON\n")
            self.assertEqual(machine.flags_of(programs), "-O2, link-time optimization")
