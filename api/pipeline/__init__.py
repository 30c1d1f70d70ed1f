"""The way of a radiograph through the gateway: the only place where the stages meet.

decode -> preprocess -> infer -> refuse what is no chest radiograph -> explain in rounds -> render -> report. CPU work
runs in a bounded thread pool; inference is awaited.
"""

from api.pipeline.answering import Pipeline

__all__ = ["Pipeline"]
