from kfp.dsl._records import PipelineTaskFinalStatus

__all__ = ["PipelineTaskFinalStatus"]
