"""How the car moves: a dynamic bicycle model behind lagging actuators, on soft springs.

The single-track model and the parameters (vehicle 2, a BMW 320i) are those of the CommonRoad
vehicle models (Althoff et al., IV 2017). Below 3 m/s that model is stiff, so it is blended with
its kinematic form there. Pitch and roll, which it lacks, follow the accelerations.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from vehiclemodels.parameters_vehicle2 import parameters_vehicle2
from vehiclemodels.vehicle_dynamics_st import vehicle_dynamics_st

from edge_pilot.config import SimConfig, VehicleConfig
from edge_pilot.types import Floats

DT = 0.01  # s
BLEND_LOW, BLEND_HIGH = 2.0, 3.0  # m/s, between kinematic and dynamic
RELAX_S = 0.05  # s, in which the kinematic form pulls yaw rate and slip to its own
PITCH_PER_MPS2, ROLL_PER_MPS2 = 0.006, 0.008  # rad, a soft passenger car
SPRING_S = 0.15  # s, time constant of the body on its springs
GRAVITY = 9.81  # m/s^2


@dataclass(frozen=True, slots=True)
class Motion:
    """The car at a moment; the position is that of `base_link`."""

    x: float
    y: float
    heading: float
    speed: float
    yaw_rate: float
    steering: float
    acceleration: tuple[float, float]  # m/s^2 forward and left, of base_link
    pitch: float  # rad, positive nose down
    roll: float  # rad, positive to the right


class Vehicle:
    """Stepped by `DT`; holds the state of the model, of the actuators and of the springs."""

    def __init__(self, vehicle: VehicleConfig, sim: SimConfig) -> None:
        self._vehicle = vehicle
        self._sim = sim
        self._parameters = parameters_vehicle2()
        self._rear = self._parameters.b  # m, from the centre of gravity to the rear axle
        self.place(0.0, 0.0, 0.0)

    def place(self, x: float, y: float, heading: float, speed: float = 0.0) -> None:
        """Put `base_link` somewhere, wheels straight."""
        cg = (x + self._rear * math.cos(heading), y + self._rear * math.sin(heading))
        # x, y of the centre of gravity, steering, speed, heading, yaw rate, slip
        self._state = np.array([*cg, 0.0, speed, heading, 0.0, 0.0])
        self._drive = 0.0  # m/s^2, what the engine and the brakes give
        self._accelerations = (0.0, 0.0)
        self._pitch = self._roll = 0.0

    @property
    def motion(self) -> Motion:
        """Give the present motion."""
        x, y, steering, speed, heading, yaw_rate, _ = (float(v) for v in self._state)
        return Motion(
            x=x - self._rear * math.cos(heading),
            y=y - self._rear * math.sin(heading),
            heading=heading,
            speed=speed,
            yaw_rate=yaw_rate,
            steering=steering,
            acceleration=self._accelerations,
            pitch=self._pitch,
            roll=self._roll,
        )

    def step(self, steering_rad: float, acceleration_mps2: float) -> None:
        """Move by `DT` towards a commanded angle and acceleration."""
        rate = self._steering_rate(steering_rad)
        self._drive += self._lag(self._sim.acceleration_lag_s) * (
            self._limited(acceleration_mps2) - self._drive
        )
        before = self._rear_velocity()
        last, self._state = self._state, self._integrate(np.array([rate, self._drive]))
        if self._state[3] < 0.0:  # the model would brake on into reverse
            x, y, _, _, heading, _, _ = last
            self._state = np.array([x, y, self._state[2], 0.0, heading, 0.0, 0.0])
        self._feel(before)

    def _limited(self, acceleration: float) -> float:
        low, high = -self._vehicle.max_braking_mps2, self._vehicle.max_acceleration_mps2
        return min(high, max(low, acceleration))

    def _steering_rate(self, wanted: float) -> float:
        limit, rate = self._vehicle.max_steering_rad, self._vehicle.max_steering_rate_radps
        error = min(limit, max(-limit, wanted)) - self._state[2]
        return float(np.clip(error / max(self._sim.steering_lag_s, DT), -rate, rate))

    def _lag(self, time_constant_s: float) -> float:
        return 1.0 - math.exp(-DT / time_constant_s) if time_constant_s > 0.0 else 1.0

    def _integrate(self, u: Floats) -> Floats:
        """Runge-Kutta of the fourth order."""
        x = self._state
        k1 = self._derivative(x, u)
        k2 = self._derivative(x + 0.5 * DT * k1, u)
        k3 = self._derivative(x + 0.5 * DT * k2, u)
        k4 = self._derivative(x + DT * k3, u)
        return x + DT / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)

    def _derivative(self, x: Floats, u: Floats) -> Floats:
        dynamic = min(1.0, max(0.0, (x[3] - BLEND_LOW) / (BLEND_HIGH - BLEND_LOW)))
        change = np.zeros(7)
        if dynamic > 0.0:
            change += dynamic * np.array(vehicle_dynamics_st(x, u, self._parameters))
        if dynamic < 1.0:
            change += (1.0 - dynamic) * self._kinematic(x, u)
        return change

    def _kinematic(self, x: Floats, u: Floats) -> Floats:
        _, _, steering, speed, heading, yaw_rate, slip = x
        wheelbase = self._parameters.a + self._parameters.b
        own_slip = math.atan(math.tan(steering) * self._rear / wheelbase)
        own_yaw_rate = speed * math.cos(own_slip) * math.tan(steering) / wheelbase
        course = heading + slip
        return np.array([
            speed * math.cos(course), speed * math.sin(course), u[0], u[1], yaw_rate,
            (own_yaw_rate - yaw_rate) / RELAX_S, (own_slip - slip) / RELAX_S,
        ])  # fmt: skip

    def _rear_velocity(self) -> tuple[float, float]:
        """Give the velocity of the rear axle in the car's axes."""
        speed, yaw_rate, slip = self._state[3], self._state[5], self._state[6]
        return speed * math.cos(slip), speed * math.sin(slip) - self._rear * yaw_rate

    def _feel(self, before: tuple[float, float]) -> None:
        """Take the accelerations of the step, and let the body lean after them."""
        after, yaw_rate = self._rear_velocity(), self._state[5]
        ax = (after[0] - before[0]) / DT - yaw_rate * after[1]
        ay = (after[1] - before[1]) / DT + yaw_rate * after[0]
        self._accelerations = (float(ax), float(ay))
        lean = self._lag(SPRING_S)
        self._pitch += lean * (-PITCH_PER_MPS2 * ax - self._pitch)
        self._roll += lean * (ROLL_PER_MPS2 * ay - self._roll)
