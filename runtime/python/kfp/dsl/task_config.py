from kfp.dsl._records import TaskConfig

__all__ = ["TaskConfig"]
