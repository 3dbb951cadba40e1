# What the scripts share; sourced by them, after `set -euo pipefail`. Steps are joined by `&&`, since
# `set -e` is off in a function whose result is asked for.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$top"
export LC_ALL=C.UTF-8

# Each user builds in a folder of their own, so that a run as root leaves nothing in the way.
build=$top/build
if [ -e "$build" ] && [ ! -O "$build" ]; then
    build=$top/build-$(id -u)
fi
release=$build/release
release_prefix=$build/prefix

# or_show LOG COMMAND…: what the command printed is shown only if it failed.
or_show() {
    local log=$1
    shift
    mkdir -p "$(dirname "$log")"
    "$@" >"$log" 2>&1 || {
        cat "$log" >&2
        return 1
    }
}

# configure FOLDER ARGUMENT…: makes the build folder unless it was made with the same arguments.
configure() {
    local folder=$1
    shift
    if [ -f "$folder/build.ninja" ] && [ "$(cat "$folder/arguments" 2>/dev/null)" = "$*" ]; then
        return
    fi
    rm -rf "$folder"
    or_show "$folder.log" meson setup "$folder" "$@" && printf '%s' "$*" >"$folder/arguments"
}

# compile FOLDER [TARGET…]
compile() {
    local folder=$1
    shift
    or_show "$folder.log" ninja -C "$folder" -j "${JOBS:-2}" "$@"
}

# install_anew FOLDER PREFIX: the prefix holds what is built now, and nothing older.
install_anew() {
    rm -rf "$2"
    or_show "$1.log" meson install -C "$1" --no-rebuild --quiet
}

# The release that `run` starts and that `test` and `bench` look at.
build_release() {
    configure "$release" "--prefix=$release_prefix" --libdir=lib -Dwerror=true &&
        compile "$release" &&
        install_anew "$release" "$release_prefix"
}

# What threads and processes share: its tests once more, by ThreadSanitizer, which excludes the others.
build_threads() {
    configure "$build/threads" -Dtests=true -Dwerror=true -Db_sanitize=thread -Doptimization=1 &&
        compile "$build/threads" threaded-tests
}

# Fuzz targets and all they are linked with, by clang, instrumented.
build_fuzzers() {
    CC=clang CXX=clang++ configure "$build/fuzz" -Dfuzzers=true -Dwerror=true \
        -Db_sanitize=address,undefined -Doptimization=1 &&
        compile "$build/fuzz" fuzzers
}
