from kfp.dsl import run_notebook

__all__ = ["run_notebook"]
