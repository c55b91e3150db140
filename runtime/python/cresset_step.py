"""Entry of a lightweight component's step.

python3 cresset_step.py --executor_input_file FILE --function_to_execute NAME \
    --component_module_path SOURCE
"""

import os
import sys

# A child process of a step (multiprocessing's spawn) runs this file again under another name: it
# must do nothing.
if __name__ == "__main__":
    os.environ["_KFP_RUNTIME"] = "true"
    folder = os.path.dirname(os.path.abspath(__file__))
    if folder not in sys.path:
        sys.path.insert(0, folder)
    from kfp.dsl.executor_main import main

    sys.exit(main())
