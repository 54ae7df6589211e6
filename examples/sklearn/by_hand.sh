#!/bin/sh
# Trains without Assay, as Assay would: the same files, seed and parameters give the same model, byte for byte.
#
#   ./by_hand.sh TRAIN_FOLDER VALIDATION_FOLDER MODEL_FOLDER TARGET POSITIVE [--n_estimators 200 ...]
#
# ASSAY_SEED is the seed (default 0), PYTHON the interpreter (default python3).
set -eu
if [ $# -lt 5 ]; then
	echo "usage: $0 TRAIN_FOLDER VALIDATION_FOLDER MODEL_FOLDER TARGET POSITIVE [--parameter value ...]" >&2
	exit 2
fi
export SM_CHANNEL_TRAIN="$1" SM_CHANNEL_VALIDATION="$2" SM_MODEL_DIR="$3" ASSAY_TARGET="$4" ASSAY_POSITIVE="$5"
shift 5
mkdir -p "$SM_MODEL_DIR"
exec "${PYTHON:-python3}" "$(dirname "$0")/train.py" "$@"
