"""Every file that passes between the rooms: one class a kind, with schema version, save, load and digest.

Importing any module of this room defines all kinds that ship with neuronsim, so that a base class reads every kind below it.
"""

from .catalogue import SHIPPED as SHIPPED
