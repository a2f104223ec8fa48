"""Is this task learnable by this model? Sample it a few times per prompt, grade, and say.

Sources: Amazon Nova customization guide (sample the base model first); named beside each number.
"""

from __future__ import annotations
