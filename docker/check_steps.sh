#!/usr/bin/env bash
# Goes through docker/Dockerfile without Docker: check_steps.sh FOLDER, as root in a fresh, minimal Debian 12. Every stage
# becomes a folder in FOLDER, made from a copy of this system; then the three images are started as compose.yaml starts
# them, on one socket, and a model is compiled and run through them. Knows the instructions that the Dockerfile uses, and
# stops at any other.
set -euo pipefail
cd "$(dirname "$0")/.."
context=$PWD
dockerfile=${HONE_DOCKERFILE:-docker/Dockerfile}
address=unix:/run/hone/hone.sock
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
  (exec_inside "$@")
}
exec_inside() {
  local stage=$1 user=$2
  shift 2
  exec env --ignore-environment PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/ LANG=C.UTF-8 \
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
done < <(sed -e ':a' -e '/\\$/N; s/\\\n//; ta' "$dockerfile" | grep -v -e '^#' -e '^$')

# begin STAGE: what the image would run, with the folder that all share.
begin() {
  local stage=$1
  mount --bind "$folder/socket" "$folder/$stage/run/hone"
  (exec_inside "$stage" "${user_of[$stage]}" ${entry_of[$stage]} ${command_of[$stage]}) >"$folder/$stage.log" 2>&1 &
  started+=($!)
}

# check TITLE STAGE COMMAND...
check() {
  local title=$1 stage=$2 start=$SECONDS
  shift 2
  inside "$stage" "${user_of[$stage]}" "$@" || {
    tail --lines=20 "$folder"/*.log >&2
    die "failed: $title"
  }
  printf '%5d s  %s\n' $((SECONDS - start)) "$title"
}

install --directory --owner=990 --group=990 --mode=0750 "$folder/socket"
begin coordinator
for _ in $(seq 600); do
  [ -S "$folder/socket/hone.sock" ] && break
  kill -0 "${started[0]}" 2>/dev/null || { cat "$folder/coordinator.log" >&2 && die "the coordinator ended"; }
  sleep 0.1
done
begin builder
begin device
check "make a model" builder hone sample mobilenet-v2 --output /tmp/model.onnx
check "compile it" builder hone compile --server "$address" --output /tmp/model.tar /tmp/model.onnx
check "run it on the device" builder hone run --rpc-tracker "$address" --rpc-key docker --print-time /tmp/model.tar
check "list the workers" coordinator hone devices list --server "$address"
echo "the images work"
