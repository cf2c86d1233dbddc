"""Serves Pub/Sub on the port given as the only argument. It runs in a virtual environment of its
own, whose package is written for a newer Python: annotations are compiled but not evaluated."""

import __future__

import asyncio
import importlib.abc
import importlib.machinery
import sys


class _DeferredAnnotations(importlib.machinery.SourceFileLoader):
    def get_code(self, fullname):
        # Compiled files that the installation left have their annotations evaluated.
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)

    def source_to_code(self, data, path, *, _optimize=-1):
        flags = __future__.annotations.compiler_flag
        return compile(data, path, "exec", flags=flags, dont_inherit=True, optimize=_optimize)


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] != "cloudbox":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            spec.loader = _DeferredAnnotations(spec.loader.name, spec.loader.path)
        return spec


async def serve(port: int) -> None:
    from cloudbox.services.pubsub.grpc_server import create_server

    server = await create_server("127.0.0.1", port)
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    sys.meta_path.insert(0, _Finder())
    asyncio.run(serve(int(sys.argv[1])))
