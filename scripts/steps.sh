# Functions that quickstart.sh and test.sh share; sourced, not run.

die() {
  printf '%s\n' "$(basename "$0"): $*" >&2
  exit 1
}

# step TITLE COMMAND...: runs the command with its output in a log, prints one line with the seconds it took. On failure
# prints the end of the log and stops. Logs go to the folder $logs.
step() {
  local title=$1 start=$SECONDS log
  shift
  mkdir -p "$logs"
  log="$logs/$(tr -cs '[:alnum:]\n' '-' <<<"$title").log"
  [ -t 1 ] && printf '  ....  %s' "$title"
  if "$@" >"$log" 2>&1 </dev/null; then
    [ -t 1 ] && printf '\r'
    printf '%4d s  %s\n' $((SECONDS - start)) "$title"
  else
    [ -t 1 ] && printf '\n'
    tail -n 30 "$log" >&2
    die "failed: $title (after $((SECONDS - start)) s); the end of its output is above, all of it in $log"
  fi
}

# python_environment FOLDER REQUIREMENTS...: a virtual environment with these files' packages; does nothing when it has them.
python_environment() {
  local folder=$1 wanted
  shift
  wanted=$(cat "$@")
  [ "$(cat "$folder/requirements.txt" 2>/dev/null)" = "$wanted" ] && return
  rm -rf "$folder"
  python3 -m venv "$folder" &&
    "$folder/bin/pip" install --quiet --disable-pip-version-check "${@/#/--requirement=}" &&
    printf '%s\n' "$wanted" >"$folder/requirements.txt"
}
