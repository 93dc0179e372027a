"""Drivers and applications: what Plug and Play and Windows Installer record of them.

Shapes of UserPnp 20001 and of SCM 7045 are measured; of UserPnp 20002 (a driver removed) and of
MsiInstaller only the message tables are known. Which of them are guilty is not known here.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from kitlib.simulate.evtx import Typed, UserData, Value
from kitlib.simulate.notes import Note

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kitlib.simulate.deeds import Change
    from kitlib.simulate.dice import Dice
    from kitlib.simulate.vocabulary import Package
    from kitlib.simulate.world import HostWorld

DEVICE_NAMESPACE: Final = "http://manifests.microsoft.com/win/2004/08/windows/userpnp"
NETWORK_CLASS: Final = "4D36E972-E325-11CE-BFC1-08002BE10318"


def app_notes(time: datetime, product: str, maker: str, dice: Dice) -> Iterator[Note]:
    """Yield the MsiInstaller records of one product's install."""
    process = str(dice.whole(1200, 19000))
    package = rf"C:\Windows\Installer\{dice.guid()[:8].lower()}.msi"
    code = f"{{{dice.guid()}}}".encode()
    name, _, version = product.rpartition(" ")
    data = [name, version, "1033", "0", maker, "(NULL)", ""]
    yield Note("app_begin", time, [package, process, "(NULL)", "(NULL)", "(NULL)", "(NULL)", ""])
    done = time + dice.pause(8, 90)
    yield Note("app_installed", done, data, binary=code)
    end = done + timedelta(milliseconds=dice.between(5, 60))
    yield Note("app_end", end, [package, process, "(NULL)", "(NULL)", "(NULL)", "(NULL)", ""])


def product_notes(
    host: HostWorld, change: Change, package: Package, number: int, dice: Dice
) -> Iterator[Note]:
    """Yield an install of a product with the service it brings, or its removal."""
    if change.do == "uninstall":
        name, _, version = package.label.rpartition(" ")
        data = [name, version, "1033", "0", package.maker, "(NULL)", ""]
        yield Note("app_removed", change.started, data, binary=b"")
        return
    yield from app_notes(change.started, package.label, package.maker, dice)
    service: Mapping[str, Value] = {
        "ServiceName": f"{package.title} Service",
        "ImagePath": rf'"C:\Program Files\{package.maker}\{package.name}.exe"',
        "ServiceType": "user mode service",
        "StartType": "auto start",
        "AccountName": "LocalSystem",
    }
    brings = host.dice(f"service {number}")
    yield Note("service_installed", change.started + brings.pause(3, 8), service)


def device_notes(change: Change, package: Package, dice: Dice) -> Iterator[Note]:
    """Yield what Plug and Play records when a driver goes onto its device, or off it."""
    if change.effective is None:
        return
    head, _, last = package.title.rpartition(" - ")
    maker, _, sort = head.partition(" - ")
    fields: Mapping[str, Value] = {
        "DriverName": f"oem{dice.whole(11, 88)}.inf_amd64_{dice.guid()[:8].lower()}",
        "DriverVersion": package.version or last,
        "DriverProvider": package.maker or maker or package.title,
        "DeviceInstanceID": r"PCI\VEN_1AF4&DEV_1000&SUBSYS_00011AF4&REV_00\3&13C0B0C5&0&18",
        "SetupClass": Typed(kind="guid", value=NETWORK_CLASS),
        "RebootOption": False,
        "UpgradeDevice": True,
        "IsDriverOEM": True,
        "InstallStatus": Typed(kind="hex32", value=0),
        "DriverDescription": f"{maker} {sort} Adapter" if sort else package.title,
    }
    off = change.do == "uninstall"
    root = "UninstallDeviceID" if off else "InstallDeviceID"
    data = UserData(root=root, namespace=DEVICE_NAMESPACE, fields=fields)
    yield Note("device_removed" if off else "device_installed", change.effective, data)
