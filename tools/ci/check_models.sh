#!/usr/bin/env bash
# What action.yml does once npuscope is installed: annotations, a table in the job's summary, SARIF, and the exit status.
# MODELS and ARGUMENTS have one value a line, so that names may hold blanks; nothing in them is run by the shell.
set -euo pipefail

lines() { # NAME TEXT: the lines that are not empty, as an array
  local -n into=$1
  into=()
  local line
  while IFS= read -r line; do
    line=${line%$'\r'}
    if [ -n "${line//[[:space:]]/}" ]; then into+=("$line"); fi
  done <<< "$2"
}

lines models "${MODELS:-.}"
for at in "${!models[@]}"; do # a name is no option
  case ${models[at]} in -*) models[at]="./${models[at]}" ;; esac
done
lines options "${ARGUMENTS:-}"
if [ -n "${BASELINE:-}" ]; then options+=("--baseline=$BASELINE"); fi

if [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then
  "$NPUSCOPE" check "${options[@]}" --markdown "${models[@]}" >> "$GITHUB_STEP_SUMMARY" 2> /dev/null || true
fi
if [ -n "${SARIF:-}" ]; then
  "$NPUSCOPE" check "${options[@]}" --sarif "${models[@]}" > "$SARIF" || true
fi
if [ -n "${FAIL_ON:-}" ]; then options+=("--fail-on=$FAIL_ON"); fi
exec "$NPUSCOPE" check "${options[@]}" --github "${models[@]}"
