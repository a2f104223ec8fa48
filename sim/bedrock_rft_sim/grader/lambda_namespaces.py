"""Lambda's file system and process tree from the kernel: namespaces of Linux, without privileges.

Everything is read-only but /tmp, which is 512 MB of its own and gone with the last process; the
code lies in /var/task, as on Lambda. What a handler starts can't leave its process namespace, and
ends with it.
Run in the child process; uses the standard library only.

Sources: AWS Lambda developer guide, "Lambda execution environment"; user_namespaces(7),
mount_namespaces(7), pid_namespaces(7), mount_setattr(2).
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

TASK, RUNTIME, HOME = "/var/task", "/var/runtime", "/var/sbx_user1051"
TMP_OPTIONS = b"size=512m,mode=1777"
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
}
CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWPID = 0x20000, 0x10000000, 0x20000000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
MOUNT_SETATTR, AT_FDCWD, AT_RECURSIVE, READ_ONLY = 442, -100, 0x8000, 1
PR_SET_SECUREBITS, NO_ROOT_AND_LOCKED = 28, 3
CAPABILITY_VERSION_3 = 0x20080522
_libc = ctypes.CDLL(None, use_errno=True)


def enter(task_root: str, runtime_dir: str) -> None:
    """Move this process, which must have one thread, into a file system of its own.

    Its next children start a process namespace.

    Raises:
        OSError: this kernel, or whoever set it up, does not offer that.
    """
    uid, gid = os.getuid(), os.getgid()
    _call(_libc.unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID), "unshare")
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {uid} 1"),
        ("gid_map", f"{gid} {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)
    folders = {TASK: _opened(task_root), RUNTIME: _opened(runtime_dir)}
    _mount("/", "/", kind=None, flags=MS_REC | MS_PRIVATE)
    _remake_var(folders)
    _remake_dev()
    attributes = (ctypes.c_uint64 * 4)(READ_ONLY, 0, 0, 0)
    size = ctypes.sizeof(attributes)
    code = _libc.syscall(
        MOUNT_SETATTR, AT_FDCWD, b"/", AT_RECURSIVE, ctypes.byref(attributes), size
    )
    _call(code, "mount_setattr")
    _mount("tmpfs", "/tmp", kind="tmpfs", flags=0, options=TMP_OPTIONS)
    os.chdir(TASK)


def split_off(lifeline: int) -> None:
    """Return in a new process; this one waits for it and ends as it does.

    The first process of the namespace lives until the lifeline's other end is closed, or it is
    killed; all others end with it.
    """
    keeper = os.fork()
    if keeper == 0:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # orphans are collected
        os.read(lifeline, 1)
        os._exit(0)
    child = os.fork()
    if child == 0:
        os.close(lifeline)
        _drop_capabilities()
        return
    _, status = os.waitpid(child, 0)
    os.kill(keeper, signal.SIGKILL)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        _no_core()
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status))


def readable(paths: list[str]) -> None:
    """Demand that these can be read.

    Raises:
        OSError: one of them is hidden now, such as a Python below /tmp, or belongs to another user.
    """
    for path in paths:
        if not os.access(path, os.R_OK):
            raise FileNotFoundError(path)


def _remake_var(folders: dict[str, int]) -> None:
    """Put folders into /var, which keeps what it holds."""
    var = os.open("/var", os.O_PATH | os.O_DIRECTORY)
    names = os.listdir("/var")
    _mount("tmpfs", "/var", kind="tmpfs", flags=0, options=b"size=1m,mode=755")
    for name in names:
        source, target = f"/proc/self/fd/{var}/{name}", f"/var/{name}"
        if target in (TASK, RUNTIME):
            continue
        if os.path.islink(source):
            os.symlink(os.readlink(source), target)
        elif os.path.isdir(source):
            _bind(source, target)
    for target, opened in folders.items():
        _bind(f"/proc/self/fd/{opened}", target)
        os.close(opened)
    os.close(var)
    os.mkdir(HOME)


def _remake_dev() -> None:
    """Leave the devices that Lambda has; /dev/shm is not among them."""
    dev = os.open("/dev", os.O_PATH | os.O_DIRECTORY)
    _mount("tmpfs", "/dev", kind="tmpfs", flags=0, options=b"size=64k,mode=755")
    for name in DEVICES:
        source = f"/proc/self/fd/{dev}/{name}"
        if os.path.exists(source):
            os.close(os.open(f"/dev/{name}", os.O_CREAT, 0o666))
            _mount(source, f"/dev/{name}", kind=None, flags=MS_BIND)
    for name, target in LINKS.items():
        os.symlink(target, f"/dev/{name}")
    os.close(dev)


def _bind(source: str, target: str) -> None:
    os.mkdir(target)
    _mount(source, target, kind=None, flags=MS_BIND | MS_REC)


def _opened(folder: str) -> int:
    return os.open(folder, os.O_PATH | os.O_DIRECTORY)


def _mount(
    source: str, target: str, *, kind: str | None, flags: int, options: bytes | None = None
) -> None:
    encoded = None if kind is None else kind.encode()
    code = _libc.mount(
        os.fsencode(source), os.fsencode(target), encoded, ctypes.c_ulong(flags), options
    )
    _call(code, f"mount {target}")


def _drop_capabilities() -> None:
    """Leave no right to change mounts, nor a way to regain it by running a program as root."""
    _call(_libc.prctl(PR_SET_SECUREBITS, NO_ROOT_AND_LOCKED, 0, 0, 0), "prctl")
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    _call(_libc.capset(ctypes.byref(header), ctypes.byref((ctypes.c_uint32 * 6)())), "capset")


def _no_core() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _call(code: int, doing: str) -> None:
    if code != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{doing}: {os.strerror(number)}")


if __name__ == "__main__":  # does this machine offer it, with these paths in sight?
    needed = [path for path in (*sys.path, *sys.argv[3:]) if os.path.exists(path)]
    enter(sys.argv[1], sys.argv[2])
    readable(needed)
    if os.fork() == 0:
        _drop_capabilities()
        os._exit(0)
    os._exit(os.waitstatus_to_exitcode(os.wait()[1]))
