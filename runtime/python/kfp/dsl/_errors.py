"""Faults in what a component declares, gets or returns, as opposed to faults in its code."""


class ContractError(Exception):
    """Its text says all there is to say: the step prints it without a traceback."""


class OutputTypeError(ContractError, TypeError):
    """The function returned something else than it declares."""
