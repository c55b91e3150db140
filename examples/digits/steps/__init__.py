"""The steps of the digits pipeline, one file per subject.

A step is a lightweight component: kfp copies the source of its function, and of the helper
functions named in `additional_funcs`, into the compiled pipeline. So each function imports what
it needs, and uses nothing else of these files.
"""

# Where the steps run in containers, this image must hold Python, PyTorch and scikit-learn (the
# README has a recipe). `cresset run` uses the local interpreter and pulls no image.
IMAGE = "digits:1"
