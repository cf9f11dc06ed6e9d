#!/usr/bin/env bash
# Goes through docker/Dockerfile without Docker: check_steps.sh FOLDER, as root in a fresh, minimal Debian 12. Every stage becomes a folder in
# FOLDER, made from a copy of this system; then the three images are started as compose.yaml starts them, on one
# socket, and a model is compiled and run through them. It knows those instructions that the Dockerfile uses, and stops at any other.
set -euo pipefail
cd "$(dirname "$0")/.."
context=$PWD
folder=${1:?usage: docker/check_steps.sh FOLDER (on a disk with 8 GB free)}
mkdir -p "$folder"
folder=$(realpath "$folder")
declare -A image_of user_of command_of entry_of work_folder_of
started=()

die() {
  echo "check_steps: $*" >&2
  exit 1
}

[ "$(id -u)" -eq 0 ] || die "copies of a system can be made by root only"

leave() {
  for process in "${started[@]}"; do kill "$process" 2>/dev/null || true; done
  wait
  awk -v root="$folder/" 'index($5, root) == 1 {print $5}' /proc/self/mountinfo | sort --reverse | while read -r mount; do
    umount --lazy "$mount"
  done
}
trap leave EXIT

# copy_system TARGET SOURCE: SOURCE without what is mounted in it, without this source tree and without FOLDER.
copy_system() {
  mkdir -p "$1"
  tar --create --one-file-system --directory="$2" --exclude="./${folder#/}" --exclude="./${context#/}" \
    --exclude=./tmp/* --exclude=./var/tmp/* . | tar --extract --preserve-permissions --directory="$1"
  mkdir -p "$1/proc" "$1/dev"
  mount -t proc proc "$1/proc"
  mount --rbind /dev "$1/dev"
}

# inside STAGE USER COMMAND...: in the stage's folder, with the environment that a container would have.
inside() {
  local stage=$1 user=$2
  shift 2
  env --ignore-environment PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/ LANG=C.UTF-8 \
    chroot --userspec="$user" "$folder/$stage" "$@"
}

from() {
  local source=$1 stage=$3
  [ "$2" = AS ] || die "a stage without a name: FROM $*"
  if [ "$source" = debian:12 ]; then
    copy_system "$folder/$stage" /
  else
    copy_system "$folder/$stage" "$folder/$source"
    user_of[$stage]=${user_of[$source]:-root}
  fi
  current=$stage
  work_folder_of[$stage]=/
}

run() {
  inside "$current" "${user_of[$current]:-root}" /bin/sh -e -c "cd '${work_folder_of[$current]}'; $1"
}

# copy [--from=STAGE] SOURCES... TARGET
copy() {
  local root=$context target=${*: -1}
  local -a sources=("${@:1:$#-1}")
  if [[ $1 == --from=* ]]; then
    root=$folder/${1#--from=}
    sources=("${sources[@]:1}")
  fi
  [[ $target == /* ]] || target=${work_folder_of[$current]}/$target
  mkdir -p "$folder/$current$target"
  for source in "${sources[@]}"; do
    if [ "$source" = . ]; then
      tar --create --exclude-from=.dockerignore --directory="$root" . | tar --extract --no-same-owner --directory="$folder/$current$target"
    else
      cp --recursive "$root/$source" "$folder/$current$target"
    fi
  done
}

# [ "a", "b" ] -> a b
words() {
  tr --delete '[]",' <<<"$1"
}

step() {
  local instruction=$1 rest=$2 start=$SECONDS
  case $instruction in
    FROM) from $rest ;;
    WORKDIR) mkdir -p "$folder/$current$rest" && work_folder_of[$current]=$rest ;;
    RUN) run "$rest" ;;
    COPY) copy $rest ;;
    USER) user_of[$current]=$rest ;;
    ENTRYPOINT) entry_of[$current]=$(words "$rest") ;;
    CMD) command_of[$current]=$(words "$rest") ;;
    VOLUME | LABEL | STOPSIGNAL | HEALTHCHECK) ;;
    *) die "no way to do '$instruction' without Docker" ;;
  esac
  printf '%5d s  %-14s %s %s\n' $((SECONDS - start)) "${current:-}" "$instruction" "$rest"
}

while read -r instruction rest; do
  step "$instruction" "$rest"
done < <(sed -e ':a' -e '/\\$/N; s/\\\n//; ta' docker/Dockerfile | grep -v -e '^#' -e '^$')
