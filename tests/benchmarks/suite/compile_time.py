"""How long the compiler takes for a user's program."""

import os
import time

LIMIT_S = 120

PROGRAM = """
#include <microlith/actors/node.hpp>

#include <boost/describe.hpp>

struct greet {
  using message = microlith::command<"demo.greet">;
  std::string name;
};
BOOST_DESCRIBE_STRUCT(greet, (), (name))

int main() {
  microlith::component greeter{"demo.greeter"};
  greeter.serves<greet>([](const greet&) {});
  auto node = microlith::node::start({}, {greeter});
  return node ? 0 : 1;
}
"""

INCLUDE_CAF = "#include <caf/all.hpp>\nint main() {}\n"


def of(source):
    def measure(engine, point, directory, _server):
        file = os.path.join(directory, "program.cpp")
        with open(file, "w", encoding="utf-8") as out:
            out.write(source)
        include = os.path.join(os.path.dirname(os.path.realpath(engine.programs)), "include")
        begun = time.monotonic()
        engine.processes.run(
            "g++",
            [
                "g++",
                "-std=c++20",
                *point.arguments,
                "-I",
                include,
                "-c",
                file,
                "-o",
                os.path.join(directory, "program.o"),
            ],
            LIMIT_S,
        )
        return {"compile_s": time.monotonic() - begun}

    return measure
